"""Networks as people build them, each small, with the loop that trains it.

A case is a value: how a network and its optimizers are built, the loss of a batch, and one
iteration of the loop as a user would write it. Batches come from their own number, never from the
global generator; what does draw from that is meant to: dropout, `randn_like`, blocks left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F

from tests.conformance.case import Case, Log, Loss, Optimizers
from tests.conformance.networks import (
    VAE,
    Attention,
    DenseNet,
    DropPath,
    InPlace,
    Mappings,
    MobileNet,
    PartlyFrozen,
    PostNorm,
    PreNorm,
    Recurrent,
    ResNet18,
    SparseWords,
    TiedLanguageModel,
    Twice,
    gan,
    mlp,
    patch_critic,
    sigmoid_stack,
    two_thousand_layers,
)

BATCH = 4
WORDS = 50


def numbers(model: nn.Module, number: int, *shape: int) -> Tensor:
    """Draw inputs of batch `number`, in the data type of the model."""
    generator = torch.Generator().manual_seed(number)
    drawn = torch.randn(BATCH, *shape, generator=generator, dtype=torch.float64)
    return drawn.to(next(model.parameters()).dtype)


def choices(number: int, *shape: int, among: int) -> Tensor:
    """Draw words or classes of batch `number`."""
    generator = torch.Generator().manual_seed(1000 + number)
    return torch.randint(among, (BATCH, *shape), generator=generator)


def classified(model: nn.Module, number: int, *, shape: tuple[int, ...]) -> Tensor:
    return F.cross_entropy(model(numbers(model, number, *shape)), choices(number, among=3))


def squared(model: nn.Module, number: int, *, shape: tuple[int, ...]) -> Tensor:
    return model(numbers(model, number, *shape)).square().mean()


def next_word(model: nn.Module, number: int) -> Tensor:
    text = choices(number, 9, among=WORDS)
    return F.cross_entropy(model(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())


def autoencoded(model: nn.Module, number: int) -> Tensor:
    x = numbers(model, number, 12)
    rebuilt, mean, log_variance = model(x)
    divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).mean()
    return F.mse_loss(rebuilt, x) + 0.1 * divergence


def mapped(model: nn.Module, number: int) -> Tensor:
    found = model({"pixels": numbers(model, number, 8)})
    return F.cross_entropy(found["logits"], choices(number, among=3)) + found["penalty"]


def real_or_not(logits: Tensor, real: bool) -> Tensor:
    wanted = torch.ones_like(logits) if real else torch.zeros_like(logits)
    return F.binary_cross_entropy_with_logits(logits, wanted)


def wasserstein(model: nn.Module, number: int) -> Tensor:
    """Return what a critic descends: its mean verdict on fakes less that on what is real."""
    fake, real = (numbers(model, 2 * number + part, 3, 48, 48) for part in range(2))
    return model(torch.tanh(fake)).mean() - model(real).mean()


def players(model: nn.Module) -> tuple[nn.Module, nn.Module]:
    return model.get_submodule("generator"), model.get_submodule("discriminator")


def fooled(model: nn.Module, number: int) -> Tensor:
    """Return the generator's loss: a fake that passes for real is a good one."""
    generator, discriminator = players(model)
    return real_or_not(discriminator(generator(numbers(model, number, 4))), True)


def discriminator_first(model: nn.Module, optimizers: Optimizers, number: int, log: Log) -> None:
    """Update both players as PyTorch's tutorial does: the fake is made once, and serves both.

    The second backward pass leaves its gradients in the discriminator too, after that has stepped.
    """
    generator, discriminator = players(model)
    of_generator, of_discriminator = optimizers
    fake = generator(numbers(model, number, 4))
    of_discriminator.zero_grad()
    on_real = real_or_not(discriminator(numbers(model, number, 10)), True)
    on_fake = real_or_not(discriminator(fake.detach()), False)
    (on_real + on_fake).backward()
    of_discriminator.step()
    of_generator.zero_grad()
    loss = real_or_not(discriminator(fake), True)
    loss.backward()
    log(loss=loss)
    of_generator.step()


def generator_first(model: nn.Module, optimizers: Optimizers, number: int, log: Log) -> None:
    """Update both players as CycleGAN does: the discriminator is frozen while it judges."""
    generator, discriminator = players(model)
    of_generator, of_discriminator = optimizers
    fake = generator(numbers(model, number, 4))
    discriminator.requires_grad_(False)
    of_generator.zero_grad()
    loss = real_or_not(discriminator(fake), True)
    loss.backward()
    of_generator.step()
    discriminator.requires_grad_(True)
    of_discriminator.zero_grad()
    on_fake = real_or_not(discriminator(fake.detach()), False)
    on_fake.backward()
    real_or_not(discriminator(numbers(model, number, 10)), True).backward()
    of_discriminator.step()
    log(loss=loss.item())


def clear(optimizers: Optimizers) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad()


def case(
    name: str,
    network: Callable[[], nn.Module],
    optimizers: Callable[[nn.Module], optim.Optimizer | Optimizers],
    loss: Loss,
    *,
    micro_batches: int = 1,
    clip: float | None = None,
    log_after: bool = False,
    clear_after: bool = False,
    dense: int = 30,
) -> Case:
    """Make a case of the common loop: clear, accumulate, clip, step."""

    def build() -> tuple[nn.Module, Optimizers]:
        model = network()
        made = optimizers(model)
        return model, made if isinstance(made, list) else [made]

    def step(model: nn.Module, optimizers: Optimizers, number: int, log: Log) -> None:
        total = torch.zeros(())
        if not clear_after:
            clear(optimizers)
        for part in range(micro_batches):
            share = loss(model, number * micro_batches + part) / micro_batches
            share.backward()
            total = total + share.detach()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        if not log_after:
            log(loss=total)
        for optimizer in optimizers:
            optimizer.step()
        if log_after:
            log(loss=total.item())
        if clear_after:
            clear(optimizers)

    return Case(name, build, loss, step, dense)


def sgd(model: nn.Module, *, weight_decay: float = 0.0) -> optim.Optimizer:
    return optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=weight_decay)


def trained_sgd(model: nn.Module) -> optim.Optimizer:
    """Give the optimizer only what is trained, as those who freeze layers do."""
    return optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.1)


def adam(model: nn.Module) -> optim.Optimizer:
    return optim.Adam(model.parameters(), lr=3e-3)


def rmsprop(model: nn.Module) -> optim.Optimizer:
    return optim.RMSprop(model.parameters(), lr=1e-3, momentum=0.5)


def adamw(model: nn.Module) -> optim.Optimizer:
    """Decay matrices only: two parameter groups."""
    matrices = [each for each in model.parameters() if each.dim() > 1]
    others = [each for each in model.parameters() if each.dim() <= 1]
    return optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=3e-3,
    )


def sparse_and_dense(model: nn.Module) -> Optimizers:
    words, head = model.get_submodule("words"), model.get_submodule("head")
    return [optim.SparseAdam(list(words.parameters()), 0.01), optim.SGD(head.parameters(), 0.1)]


def build_gan() -> tuple[nn.Module, Optimizers]:
    model = gan()
    return model, [optim.Adam(each.parameters(), 1e-3, (0.5, 0.999)) for each in players(model)]


flat = partial(classified, shape=(10,))
pixels = partial(classified, shape=(3, 8, 8))
series = partial(classified, shape=(7, 6))
sentence = partial(classified, shape=(5, 8))

CASES = [
    case("mlp", mlp, sgd, flat),
    case("resnet18", ResNet18, partial(sgd, weight_decay=1e-3), pixels, log_after=True),
    case(
        "pre_norm_transformer",
        partial(PreNorm, WORDS),
        adamw,
        next_word,
        clip=0.5,
        clear_after=True,
    ),
    case("post_norm_transformer", PostNorm, adam, sentence, log_after=True),
    case("lstm", partial(Recurrent, nn.LSTM, dropout=0.2), adam, series, clip=0.1),
    case("gru", partial(Recurrent, nn.GRU, bidirectional=True), sgd, series),
    case("vae", VAE, adam, autoencoded, log_after=True),
    Case("gan", build_gan, fooled, discriminator_first),
    Case("gan_generator_first", build_gan, fooled, generator_first),
    case("patch_critic", patch_critic, rmsprop, wasserstein),
    case("tied_language_model", partial(TiedLanguageModel, WORDS), adamw, next_word),
    case("depthwise_convolutions", MobileNet, rmsprop, pixels),
    case("densenet", DenseNet, sgd, pixels, micro_batches=3, clip=0.2),
    case("in_place", InPlace, sgd, pixels),
    case("dicts_and_tuples", Mappings, adam, mapped),
    case("attention", Attention, adamw, sentence, micro_batches=2, log_after=True),
    case("sparse_embedding", partial(SparseWords, WORDS), sparse_and_dense, next_word),
    case("used_twice", Twice, sgd, flat, micro_batches=2),
    case("partly_frozen", PartlyFrozen, trained_sgd, pixels),
    case("drop_path", DropPath, sgd, flat),
    case("sigmoid_stack", sigmoid_stack, sgd, flat),
    case("two_thousand_layers", two_thousand_layers, sgd, partial(squared, shape=(4,)), dense=6),
]
