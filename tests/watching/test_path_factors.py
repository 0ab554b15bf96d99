"""What a gradient crosses, against formulas and forward passes written out by hand."""

from __future__ import annotations

import copy
import gc
import math
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import undertow as ut
from tests.watching.loops import batches, mean_square, net, train

DOUBLE = torch.float64


def square(output: Tensor, _: Any) -> Tensor:
    return output.square().mean()


def data(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)


def dex(after: Any, before: Any) -> float:
    return math.log10(np.linalg.norm(after) / np.linalg.norm(before))


def pieces(layer: Any, term: str) -> dict[str, float]:
    return {part.piece: part.dex for part in layer.parts if part.term == term}


class Block(nn.Module):
    """A stem, blocks x + linear(relu(norm(x))), a head."""

    def __init__(self, norm: Any = nn.BatchNorm1d, *, in_place: bool = False) -> None:
        super().__init__()
        self.stem, self.head = nn.Linear(5, 8, dtype=DOUBLE), nn.Linear(8, 3, dtype=DOUBLE)
        self.blocks = nn.ModuleList(
            nn.Sequential(norm(8), nn.ReLU(in_place), nn.Linear(8, 8)).to(DOUBLE) for _ in range(2)
        )
        for block in self.blocks:
            nn.init.normal_(block[0].weight)  # pyright: ignore

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


def test_a_residual_block_by_hand():
    torch.manual_seed(0)
    model, inputs = Block(), data(16, 5)
    found = {layer.name: layer for layer in ut.explain(model, square, (inputs, 0)).layers}
    at = {name: value.detach().numpy() for name, value in model.named_parameters()}
    x = inputs.numpy() @ at["stem.weight"].T + at["stem.bias"]
    kept = []
    for i in range(2):
        s = np.sqrt(x.var(0) + 1e-5)
        xh = (x - x.mean(0)) / s
        z = xh * at[f"blocks.{i}.0.weight"] + at[f"blocks.{i}.0.bias"]
        kept.append((s, xh, z))
        x = x + np.maximum(z, 0) @ at[f"blocks.{i}.2.weight"].T + at[f"blocks.{i}.2.bias"]
    out = x @ at["head.weight"].T + at["head.bias"]
    g = 2 * out / out.size @ at["head.weight"]
    for i, (s, xh, z) in reversed(list(enumerate(kept))):
        weight, gamma = at[f"blocks.{i}.2.weight"], at[f"blocks.{i}.0.weight"]
        own = found[f"blocks.{i}.0"]
        at_x = g @ weight
        active = math.sqrt((z > 0).mean())
        delta = (z > 0) * at_x
        scale = np.linalg.norm(weight) / math.sqrt(8)
        assert own.terms == pytest.approx(
            {
                **dict.fromkeys(own.terms, 0.0),
                "weight_scale": math.log10(scale),
                "alignment": dex(at_x, g) - math.log10(scale),
                "saturation": math.log10(active),
                "covariance": dex(delta, at_x) - math.log10(active),
            },
            abs=1e-12,
        )
        scaled = delta * gamma / s
        branch = scaled - scaled.mean(0) - xh * (scaled * xh).mean(0)
        rms = math.sqrt(((gamma / s) ** 2).mean())
        below = found["stem" if i == 0 else f"blocks.{i - 1}.2"]
        assert pieces(below, "normalisation") == pytest.approx(
            {
                "rescale": math.log10(rms),
                "covariance": dex(scaled, delta) - math.log10(rms),
                "projection": dex(branch, scaled),
            },
            abs=1e-12,
        )
        assert pieces(below, "normalisation")["projection"] <= 0
        rho = np.linalg.norm(branch) / np.linalg.norm(g)
        cos = (branch * g).sum() / np.linalg.norm(branch) / np.linalg.norm(g)
        skip = 0.5 * math.log10(1 + rho**2 + 2 * rho * cos) - math.log10(rho)
        assert below.terms["skip"] == pytest.approx(skip, abs=1e-12)
        assert below.terms["fan_out"] == below.terms["other"] == 0
        g = branch + g


@pytest.mark.parametrize(
    ("norm", "scale_of"),
    [
        (nn.BatchNorm1d(8), lambda z, n: 1 / (z.var(0, correction=0) + n.eps).sqrt()),
        (
            nn.BatchNorm1d(8).eval(),
            lambda z, n: 1 / (n.running_var + n.eps).sqrt(),
        ),
        (nn.LayerNorm(8), lambda z, n: 1 / (z.var(1, True, keepdim=True) * 7 / 8 + n.eps).sqrt()),
        (
            nn.GroupNorm(2, 8),
            lambda z, n: (
                1 / (z.view(-1, 2, 4).var(2, correction=0) + n.eps).sqrt()
            ).repeat_interleave(4, 1),
        ),
        (nn.LayerNorm(8, elementwise_affine=False), None),
    ],
)
def test_the_pieces_of_each_normalisation(norm: Any, scale_of: Any):
    torch.manual_seed(0)
    norm = copy.deepcopy(norm).to(DOUBLE)
    if norm.weight is not None:
        nn.init.normal_(norm.weight)
    if getattr(norm, "running_var", None) is not None:
        norm.running_var.uniform_(0.5, 2)
    before, after, head = (nn.Linear(*each, dtype=DOUBLE) for each in ((5, 8), (8, 8), (8, 2)))
    model, inputs = nn.Sequential(before, norm, after, head), data(16, 5)
    z = before(inputs).detach().requires_grad_()
    scale = (scale_of or (lambda z, n: 1 / (z.var(1, correction=0, keepdim=True) + n.eps).sqrt()))(
        z, norm
    )
    scale = (scale if norm.weight is None else scale * norm.weight).detach().expand(16, 8)
    y = norm(z)
    y.retain_grad()
    square(head(after(y)), 0).backward()
    found = ut.explain(model, square, (inputs, 0)).layers[0]
    assert y.grad is not None
    assert z.grad is not None
    scaled, rms = y.grad * scale, math.log10(scale.square().mean().sqrt())
    assert pieces(found, "normalisation") == pytest.approx(
        {
            "rescale": rms,
            "covariance": dex(scaled, y.grad) - rms,
            "projection": dex(z.grad, scaled),
        },
        abs=1e-12,
    )


def test_a_normalisation_of_several_operations_is_one_term():
    """Also where the tensor that it reads goes around it too."""
    torch.manual_seed(0)
    model, inputs = Block(nn.RMSNorm), data(16, 5)
    found = {layer.name: layer for layer in ut.explain(model, square, (inputs, 0)).layers}
    z = model.stem(inputs).detach().requires_grad_()
    y = z.detach().requires_grad_()
    normed = model.blocks[0][0](y)  # pyright: ignore
    normed.retain_grad()
    x = z + model.blocks[0][2](normed.relu())  # pyright: ignore
    square(model.head(x + model.blocks[1](x)), 0).backward()
    assert z.grad is not None
    assert y.grad is not None
    stem = found["stem"].terms
    assert stem["normalisation"] == pytest.approx(dex(y.grad, normed.grad), abs=1e-12)
    assert stem["skip"] == pytest.approx(dex(z.grad + y.grad, y.grad), abs=1e-12)
    assert stem["fan_out"] == stem["other"] == 0
    assert {part.where for part in found["stem"].parts} == {"blocks.0.0", "around a branch"}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(7, 4), (3, 5, 4)])
def test_the_gradient_of_linear_weights(shape: tuple[int, ...], bias: bool):
    torch.manual_seed(0)
    layers = [nn.Linear(4, 4, bias=bias, dtype=DOUBLE) for _ in range(3)]
    inputs = data(*shape)
    found = ut.explain(nn.Sequential(*layers[:2], nn.Tanh(), layers[2]), square, (inputs, 0))
    read, made = [inputs], []
    for i, layer in enumerate(layers):
        made.append(layer(read[-1]))
        made[-1].retain_grad()
        read.append(made[-1].tanh() if i == 1 else made[-1])
    square(made[-1], 0).backward()
    for weight, layer, x, z in zip(found.weights, layers, read, made, strict=False):
        rows = x.numel() // 4
        grad = z.grad.reshape(rows, 4).T.numpy() @ x.detach().reshape(rows, 4).numpy()
        norms = [np.linalg.norm(each) for each in (grad, z.grad, x.detach())]
        kappa = norms[0] * math.sqrt(rows) / norms[1] / norms[2]
        assert layer.weight.grad is not None
        assert np.allclose(grad, layer.weight.grad, atol=1e-15)
        wanted = (norms[0], norms[1], norms[2] / math.sqrt(rows), kappa)
        assert weight[1:] == pytest.approx(np.log10(wanted), abs=1e-12)
        assert weight.grad == pytest.approx(weight.delta + weight.input + weight.coherence)
        assert weight.coherence <= 0.5 * math.log10(rows) + 1e-12


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"dilation": 2}])
def test_the_gradient_of_convolutions(options: dict[str, Any]):
    torch.manual_seed(0)
    conv, after = nn.Conv2d(3, 4, 3, **options, dtype=DOUBLE), nn.Conv2d(4, 2, 1, dtype=DOUBLE)
    last, inputs = nn.Conv2d(2, 2, 1, dtype=DOUBLE), data(2, 3, 8, 9)
    found = ut.explain(nn.Sequential(conv, nn.Tanh(), after, last), square, (inputs, 0))
    z = conv(inputs)
    z.retain_grad()
    h = z.tanh()
    h.retain_grad()
    y = after(h)
    y.retain_grad()
    square(last(y), 0).backward()
    patches = F.unfold(inputs, 3, **options).transpose(1, 2).reshape(-1, 27).numpy()
    delta = z.grad.flatten(2).transpose(1, 2).reshape(-1, 4).numpy()  # pyright: ignore
    rows = len(patches)
    norms = [np.linalg.norm(each) for each in (delta.T @ patches, delta, patches)]
    kappa = norms[0] * math.sqrt(rows) / norms[1] / norms[2]
    weight = found.weights[0]
    assert weight[1:] == pytest.approx(
        np.log10((norms[0], norms[1], norms[2] / math.sqrt(rows), kappa)), abs=1e-12
    )
    assert weight.coherence <= 0.5 * math.log10(rows)
    scale = after.weight.detach().norm() / math.sqrt(2)
    assert found.layers[0].terms["weight_scale"] == pytest.approx(math.log10(scale), abs=1e-12)
    aligned = dex(h.grad, y.grad) - math.log10(scale)
    assert found.layers[0].terms["alignment"] == pytest.approx(aligned, abs=1e-12)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(6, 9),
        nn.Conv2d(6, 9, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(6, 9, 3, stride=3),
        nn.Conv2d(6, 9, 3, groups=3, padding=1, padding_mode="circular"),
        nn.ConvTranspose2d(6, 9, 3, stride=3),
        nn.ConvTranspose1d(6, 8, 2, stride=2, groups=2),
        nn.Conv1d(6, 9, 2, stride=2),
    ],
)
def test_the_weight_scale_is_the_gain_for_a_gradient_of_any_direction(layer: Any):
    """Its square is |J|^2 / units, of the whole matrix J of the layer, built column by column."""
    layer = copy.deepcopy(layer).to(DOUBLE)
    dims = 0 if isinstance(layer, nn.Linear) else len(layer.kernel_size)
    kind: Any = {0: nn.Linear, 1: nn.Conv1d, 2: nn.Conv2d}[dims]
    before = kind(6, 6, *[1] * (dims > 0), dtype=DOUBLE)
    inputs = data(1, 6, *[6] * dims)
    jacobian: Any = torch.autograd.functional.jacobian(layer, inputs)
    units = layer(inputs).numel()
    head = kind(layer(inputs).shape[1], 1, *[1] * (dims > 0), dtype=DOUBLE)
    found = ut.explain(nn.Sequential(before, layer, head), square, (inputs, 0)).layers[0]
    wanted = jacobian.norm() / math.sqrt(units)
    assert found.terms["weight_scale"] == pytest.approx(math.log10(wanted), abs=1e-12)


def restless() -> nn.Sequential:
    """Return a model that changes buffers and draws random numbers on each pass."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 8),
        nn.BatchNorm1d(8),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(8, 8),
        nn.Linear(8, 3),
    )


BATCH = data(6, 4).float(), torch.tensor([0, 1, 2] * 2)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_nothing_is_disturbed(training: bool, fails: bool):
    model = restless().train(training)
    model[1].train(not training)
    optimizer = torch.optim.Adam(model.parameters())
    F.cross_entropy(model(BATCH[0]), BATCH[1]).backward()
    weights = [(each, each.detach().clone(), each._version) for each in model.parameters()]
    grads = [(each.grad, each.grad.clone()) for each in model.parameters()]  # pyright: ignore
    buffers = [(each, each.clone()) for each in model.buffers()]
    modes = [module.training for module in model.modules()]
    state, grad_mode = torch.get_rng_state(), torch.is_grad_enabled()

    def loss_fn(output: Tensor, targets: Tensor) -> Tensor:
        if fails:
            raise ZeroDivisionError
        return F.cross_entropy(output, targets)

    if fails:
        with pytest.raises(ZeroDivisionError):
            ut.explain(model, loss_fn, BATCH)
    else:
        assert ut.explain(model, loss_fn, BATCH).closure_error < 1e-5
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled() is grad_mode
    for now, (then, value, version) in zip(model.parameters(), weights, strict=True):
        assert now is then
        assert now._version == version
        assert torch.equal(now, value)
    for parameter, (grad, value) in zip(model.parameters(), grads, strict=True):
        assert parameter.grad is grad is not None
        assert torch.equal(grad, value)  # pyright: ignore
    for now, (then, value) in zip(model.buffers(), buffers, strict=True):
        assert now is then
        assert torch.equal(now, value)
    assert [module.training for module in model.modules()] == modes
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
    assert not optimizer.state


@pytest.mark.parametrize("model", [restless(), Block().float(), Block(nn.RMSNorm).float()])
def test_the_graph_is_let_go(model: nn.Module):
    """At once, and not when the garbage collector comes by."""
    kept: list[Any] = []

    def note(_: nn.Module, __: Any, output: Tensor) -> None:
        kept.append(weakref.ref(output))

    for module in model.modules():
        module.register_forward_hook(note)
    inputs = data(6, 4 if isinstance(model, nn.Sequential) else 5).float()
    ut.explain(model, square, (inputs, 0))  # what is imported at first use makes rubbish
    kept.clear()
    gc.collect()
    gc.disable()
    try:
        found = ut.explain(model, square, (inputs, 0))
        assert len(kept) > 5
        assert not any(each() is not None for each in kept)
    finally:
        gc.enable()
    assert found.layers


def test_within_a_watch_it_is_not_seen():
    alone = net(4, 6, 6, 1)
    wanted = train(alone, torch.optim.SGD(alone.parameters(), 0.1), batches(4)).to_xarray()
    model = net(4, 6, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with ut.watch(model, optimizer, every=1) as w:
        for inputs in batches(4):
            ut.explain(model, square, (7 * inputs, None))
            optimizer.zero_grad()
            loss = mean_square(model(inputs))
            found = ut.explain(model, square, (inputs, None))
            loss.backward()
            ut.explain(model, square, (7 * inputs, None))
            optimizer.step()
            w.log(loss=loss)
    seen = w.trace().to_xarray()
    for name in ("grad_norm", "delta_norm", "activation_rms", "update_norm", "loss"):
        assert np.array_equal(seen[name], wanted[name], equal_nan=True)
    for one, other in zip(model.parameters(), alone.parameters(), strict=True):
        assert torch.equal(one, other)
    measured = np.log10(seen.delta_norm.values[0, -1])
    assert found.total_dex == pytest.approx(measured[0] - measured[1], abs=1e-5)
