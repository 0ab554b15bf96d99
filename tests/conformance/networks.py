"""The networks of the cases, from torch alone; `architectures.py` says how each is trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def mlp() -> nn.Module:
    """Three layers; the middle one has 9,216 entries, too many to keep a second copy of."""
    hidden = [nn.Linear(10, 96), nn.ReLU(), nn.Linear(96, 96), nn.Tanh()]
    return nn.Sequential(*hidden, nn.Linear(96, 3))


def sigmoid_stack() -> nn.Module:
    """Forty layers whose gradients shrink past what a sum of squares in float32 can hold."""
    parts: list[nn.Module] = [nn.Linear(10, 8), nn.Sigmoid()]
    for _ in range(38):
        parts += [nn.Linear(8, 8), nn.Sigmoid()]
    return nn.Sequential(*parts, nn.Linear(8, 3))


class DeepTanh(nn.Module):
    """Orthogonal weights keep the signal alive to any depth."""

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        layers = [nn.Linear(width, width, bias=False) for _ in range(depth)]
        for layer in layers:
            nn.init.orthogonal_(layer.weight)
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x


def two_thousand_layers() -> nn.Module:
    return DeepTanh(2000, 4)


class BasicBlock(nn.Module):
    """Two convolutions and a way round them, as torchvision writes it."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
            if inputs != outputs
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        around = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += around
        return self.relu(out)


class ResNet18(nn.Module):
    """18 layers of weights: one, four stages of two blocks of two, one; few channels."""

    def __init__(self, channels: tuple[int, ...] = (4, 8, 12, 16)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.relu = nn.ReLU(inplace=True)
        stages = []
        for stage, outputs in enumerate(channels):
            inputs = channels[max(stage - 1, 0)]
            first = BasicBlock(inputs, outputs, 2 if stage else 1)
            stages.append(nn.Sequential(first, BasicBlock(outputs, outputs, 1)))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(channels[-1], 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class PreNormBlock(nn.Module):
    """Norm, then attend or think, then add: attention from plain linear maps."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.projection(attended.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


class PreNorm(nn.Module):
    def __init__(self, words: int, width: int = 16, longest: int = 8) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(longest, width)
        self.blocks = nn.Sequential(*[PreNormBlock(width, 2) for _ in range(2)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, words, bias=False)

    def forward(self, text: Tensor) -> Tensor:
        x = self.words(text) + self.places(torch.arange(text.shape[1]))
        return self.head(self.norm(self.blocks(x)))


class PostNorm(nn.Module):
    """PyTorch's own encoder; its dropout draws from the global generator."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 2, 4 * width, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x).mean(1))


class Recurrent(nn.Module):
    """Two layers of `core`, read off at the last moment."""

    def __init__(self, core: type[nn.LSTM] | type[nn.GRU], **options: Any) -> None:
        super().__init__()
        self.core = core(6, 12, num_layers=2, batch_first=True, **options)
        self.head = nn.Linear(24 if self.core.bidirectional else 12, 3)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.core(x)
        return self.head(states[:, -1])


class VAE(nn.Module):
    def __init__(self, inputs: int = 12, code: int = 3) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, 16), nn.ELU())
        self.mean, self.log_variance = nn.Linear(16, code), nn.Linear(16, code)
        self.decoder = nn.Sequential(nn.Linear(code, 16), nn.ELU(), nn.Linear(16, inputs))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        code = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        return self.decoder(code), mean, log_variance


def gan() -> nn.Module:
    return nn.ModuleDict(
        {
            "generator": nn.Sequential(
                nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10), nn.Tanh()
            ),
            "discriminator": nn.Sequential(
                nn.Linear(10, 16), nn.LeakyReLU(0.2), nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 1)
            ),
        }
    )


def patch_critic() -> nn.Module:
    """A verdict on every patch; of their mean, all 9,216 have one and the same small gradient."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3, padding=1)
    )


class TiedLanguageModel(nn.Module):
    """One weight reads words and writes them."""

    def __init__(self, words: int, width: int = 12) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.core = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, words)
        self.head.weight = self.words.weight

    def forward(self, text: Tensor) -> Tensor:
        return self.head(self.core(self.words(text))[0])


class MobileNet(nn.Module):
    """Convolutions that see one channel each, then one position each."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, stride=2, padding=1)
        parts: list[nn.Module] = []
        for _ in range(2):
            parts += [
                nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU6(inplace=True),
                nn.Conv2d(channels, channels, 1, bias=False),
                nn.GroupNorm(2, channels),
                nn.Hardswish(inplace=True),
            ]
        self.body = nn.Sequential(*parts)
        self.head = nn.Linear(channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x)).mean((2, 3)))


class DenseNet(nn.Module):
    """Each layer reads what all before it wrote."""

    def __init__(self, growth: int = 4, depth: int = 4) -> None:
        super().__init__()
        widths = [3 + growth * layer for layer in range(depth)]
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.convs = nn.ModuleList(nn.Conv2d(width, growth, 3, padding=1) for width in widths)
        self.head = nn.Linear(3 + growth * depth, 3)

    def forward(self, x: Tensor) -> Tensor:
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = torch.cat([x, conv(F.relu(norm(x)))], 1)
        return self.head(x.mean((2, 3)))


class InPlace(nn.Module):
    """Whatever can be overwritten is."""

    def __init__(self, channels: int = 6) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(channels)
        self.fc1, self.fc2 = nn.Linear(channels, 12), nn.Linear(12, 12)
        self.dropout = nn.Dropout(0.1, inplace=True)
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        around = self.relu(self.norm1(self.conv1(x)))
        x = self.norm2(self.conv2(around))
        x += around
        x = F.relu_(x).mean((2, 3))
        x = F.elu_(self.dropout(self.fc1(x)))
        x = self.fc2(x).add_(1.0).tanh_()
        return self.head(x)


class Gate(nn.Module):
    """A layer of one's own that returns a dict."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / inputs**0.5)

    def forward(self, x: Tensor) -> dict[str, Any]:
        scores = F.linear(x, self.weight)
        return {"chosen": scores.argmax(1), "scores": scores, "name": "gate"}


class Pair(nn.Linear):
    """A layer that returns a tuple."""

    def forward(self, x: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().forward(x), None


class Mappings(nn.Module):
    """Dicts and tuples in, between and out."""

    def __init__(self) -> None:
        super().__init__()
        self.pair, self.gate, self.head = Pair(8, 12), Gate(12, 12), nn.Linear(12, 3)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        hidden, _ = self.pair(batch["pixels"])
        gated = self.gate(torch.tanh(hidden))
        scores = torch.sigmoid(gated["scores"]) * (1 + gated["chosen"][:, None])
        return {"logits": self.head(scores), "penalty": 0.01 * scores.square().mean()}


class Attention(nn.Module):
    """PyTorch's MultiheadAttention, with a way round it."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, dropout=0.1, batch_first=True)
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        attended, _ = self.attention(normed, normed, normed)
        return self.head((x + attended).mean(1))


class SparseWords(nn.Module):
    """A table of words whose gradient holds only the rows that were read."""

    def __init__(self, words: int, width: int = 12) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width, sparse=True)
        self.head = nn.Sequential(nn.Linear(width, 16), nn.GELU(), nn.Linear(16, words))

    def forward(self, text: Tensor) -> Tensor:
        return self.head(self.words(text))


class Twice(nn.Module):
    """The middle layer is called two times over."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(10, 12), nn.Linear(12, 12), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x))
        for _ in range(2):
            x = torch.relu(self.middle(x))
        return self.last(x)


class PartlyFrozen(nn.Module):
    """A stem that is not trained, a frozen layer between trained ones, a norm left in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6).eval()
        self.adapter, self.between, self.head = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.stem.requires_grad_(False)
        self.between.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x))).mean((2, 3))
        return self.head(torch.tanh(self.between(torch.tanh(self.adapter(x)))))


class DropPath(nn.Module):
    """Residual blocks that are left out at random: some steps do not touch them at all."""

    def __init__(self, width: int = 10) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(3))
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            if not self.training or torch.rand(()) < 0.7:
                x = x + torch.relu(block(x))
        return self.head(x)
