"""The laboratory's networks written the plain way: one network, torch.nn, one loop, no shortcuts.

What the engine measures for R networks at once is measured here for one, in float64 and with Python
loops, from autograd and nothing else; it shares with the engine the first weights and the order of
the samples, no other line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from undertow.data.dataset import Data
from undertow.engine import choice as engines
from undertow.engine.common import stages
from undertow.engine.common.initial_weights import initial_weights
from undertow.engine.common.normalisation import Running, running_statistics
from undertow.engine.common.parameters import Parameters, initial_parameters
from undertow.engine.common.random_streams import generator
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec

MODULES: dict[str, nn.Module] = {
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "relu": nn.ReLU(),
    "leaky_relu": nn.LeakyReLU(0.01),
    "elu": nn.ELU(),
    "selu": nn.SELU(),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "softplus": nn.Softplus(),
    "hard_tanh": nn.Hardtanh(),
    "linear": nn.Identity(),
}

Arrays = dict[str, np.ndarray]


@contextmanager
def one_thread() -> Iterator[None]:
    """Two threads make small nets many times slower on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class TensorNorm(nn.Module):
    """(z - mean) / sd over the whole tensor."""

    def forward(self, z: Tensor) -> Tensor:
        return (z - z.mean()) / z.std()


class GradientRule(torch.autograd.Function):
    """Pass the input on; going back, change the gradient as a remedy does."""

    @staticmethod
    def forward(ctx, x: Tensor, network: PlainNetwork) -> Tensor:
        ctx.network = network
        return x.clone()

    @staticmethod
    def backward(ctx, *gradients: Tensor):
        (g,) = gradients
        if ctx.network.spec.gradient == "standardised":
            return (g - g.mean()) / (g.std() + 1e-6), None
        return (g / size(g) if size(g) else g), None


class PlainNetwork(nn.Module):
    """One network of a specification; a forward pass keeps what it computed."""

    def __init__(self, spec: NetworkSpec, seed: int, dtype: torch.dtype):
        super().__init__()
        self.spec = spec
        self.layers = [nn.Linear(*shape) for shape in spec.layer_shapes]
        self.linears = nn.ModuleList(self.layers)
        norm = {
            "none": nn.Identity,
            "batch": lambda: nn.BatchNorm1d(spec.width),
            "layer": lambda: nn.LayerNorm(spec.width),
            "tensor": TensorNorm,
        }[spec.normalisation]
        self.norms = nn.ModuleList(norm() for _ in range(spec.depth))
        for linear, (weights, biases) in zip(self.layers, initial_weights(spec, seed), strict=True):
            linear.weight.data = torch.from_numpy(weights.T.copy())
            linear.bias.data = torch.from_numpy(biases)
        self.to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        self.outputs: list[Tensor] = []
        self.preactivations: list[Tensor] = []
        self.activated: list[Tensor] = []
        passed_on: list[Tensor] = []
        activation = MODULES[self.spec.activation]
        for layer, (linear, norm) in enumerate(zip(self.linears, self.norms, strict=False), 1):
            z = linear(x)
            self.outputs.append(z)
            z = norm(z)
            self.preactivations.append(z)
            x = activation(z)
            self.activated.append(x)
            if self.spec.gradient != "plain":
                x = GradientRule.apply(x, self)
            received = False
            for start, end in self.spec.skips:
                if end == layer:
                    scaled = 1.0 if received else self.spec.branch_scale
                    x, received = scaled * x + passed_on[start - 1], True
            passed_on.append(x)
        logits = self.linears[-1](x)
        self.outputs.append(logits)
        return logits


def plain_loss(training: TrainingSpec, logits: Tensor, targets: Tensor) -> Tensor:
    if training.loss == "binary_cross_entropy":
        return F.binary_cross_entropy_with_logits(logits[:, 0], targets.to(logits.dtype))
    return F.cross_entropy(logits, targets)


def classes(training: TrainingSpec, logits: Tensor) -> Tensor:
    return (logits[:, 0] > 0).long() if training.loss[0] == "b" else logits.argmax(1)


def plain_optimizer(training: TrainingSpec, network: nn.Module) -> torch.optim.Optimizer:
    if training.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(), lr=training.learning_rate, momentum=training.momentum
        )
    if training.optimizer == "keras_adam":
        return KerasAdam(network.parameters(), training)
    return torch.optim.Adam(
        network.parameters(),
        lr=training.learning_rate,
        betas=(training.beta1, training.beta2),
        eps=training.epsilon,
    )


class KerasAdam(torch.optim.Optimizer):
    """Adam as Keras 3 writes it: alpha m / (sqrt(v) + epsilon), alpha with both corrections."""

    def __init__(self, parameters, training: TrainingSpec):
        super().__init__(parameters, {"lr": training.learning_rate})
        self.training, self.steps = training, 0

    @torch.no_grad()
    def step(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        training = self.training
        self.steps += 1
        alpha = training.learning_rate * (1 - training.beta2**self.steps) ** 0.5
        alpha /= 1 - training.beta1**self.steps
        for parameter in self.param_groups[0]["params"]:
            state, gradient = self.state[parameter], parameter.grad
            m, v = state.get("m", 0), state.get("v", 0)
            m = state["m"] = m + (gradient - m) * (1 - training.beta1)
            v = state["v"] = v + (gradient.square() - v) * (1 - training.beta2)
            parameter -= alpha * m / (v.sqrt() + training.epsilon)


def plain_batches(training: TrainingSpec, data: Data, seed: int, dtype: torch.dtype):
    """The batches of each epoch, as the seed orders the samples."""
    inputs = torch.from_numpy(data.train_inputs).to(dtype)
    targets = torch.from_numpy(data.train_targets)
    order = generator(seed, "order")
    for _ in range(training.epochs):
        samples = torch.from_numpy(order.permutation(len(targets)))
        places = range(0, len(targets), training.batch_size)
        yield [
            (inputs[chosen], targets[chosen])
            for chosen in (samples[place : place + training.batch_size] for place in places)
        ]


@one_thread()
def plain_training(
    spec: NetworkSpec,
    training: TrainingSpec,
    data: Data,
    seed: int,
    dtype: torch.dtype = torch.float32,
) -> tuple[PlainNetwork, Arrays]:
    """Train one network; return it and each variable of the trace, [steps, layers] or [steps]."""
    network = PlainNetwork(spec, seed, dtype)
    step = plain_optimizer(training, network)
    rows: list[dict[str, float | list[float]]] = []
    born = distinct(network)
    for batches in plain_batches(training, data, seed, dtype):
        for inputs, targets in batches:
            network.train()
            logits = network(inputs)
            for output in network.outputs:
                output.retain_grad()
            loss = plain_loss(training, logits, targets)
            step.zero_grad()
            loss.backward()
            if training.clip is not None:
                unclipped = [parameter.grad.clone() for parameter in network.parameters()]
                torch.nn.utils.clip_grad_norm_(network.parameters(), training.clip)
            before = [linear.weight.detach().clone() for linear in network.layers]
            rate = step.param_groups[0]["lr"]
            step.step()
            if training.clip is not None:  # what is recorded is the gradient before clipping
                for parameter, gradient in zip(network.parameters(), unclipped, strict=True):
                    parameter.grad = gradient
            row = plain_measures(network, before, inputs)
            row["loss"] = loss.item()
            row["accuracy"] = (classes(training, logits) == targets).double().mean().item()
            row["learning_rate"] = rate
            rows.append(row)
        rows[-1] |= plain_evaluation(network, training, data, dtype)
        if len(rows) == len(batches):
            rows[0]["distinct_units"] = born
    missing = {name: np.full(np.shape(value), np.nan) for name, value in rows[-1].items()}
    return network, {name: np.array([(missing | row)[name] for row in rows]) for name in missing}


def plain_measures(
    network: PlainNetwork, before: list[Tensor], inputs: Tensor
) -> dict[str, float | list[float]]:
    """Measure a step just taken: each layer for itself, every number in float64."""
    gradients = [linear.weight.grad for linear in network.layers]
    after = [linear.weight for linear in network.layers]
    deltas = [output.grad for output in network.outputs]
    slopes = [slope(network.spec.activation, z) for z in network.preactivations]
    steepest = largest_slope(network.spec.activation)
    return {
        "grad_norm": [size(gradient) for gradient in gradients],
        "grad_mean_abs": [double(gradient).abs().mean().item() for gradient in gradients],
        "nonfinite": [(~torch.isfinite(double(part))).sum().item() for part in gradients],
        "weight_norm": [size(weights) for weights in before],
        "update_norm": [
            size(double(new) - double(old)) for new, old in zip(after, before, strict=True)
        ],
        "delta_norm": [size(delta) for delta in deltas],
        "preactivation_rms": [*map(rms, network.preactivations), rms(network.outputs[-1])],
        # The output layer has no activation.
        "activation_rms": [*map(rms, network.activated), np.nan],
        "slope_rms": [*map(rms, slopes), np.nan],
        "saturated_fraction": [*(saturated(of, steepest) for of in slopes), np.nan],
        "dead_fraction": [*map(dead, slopes), np.nan],
        "input_rms": rms(inputs),
        "output_spread": np.std(double(network.outputs[-1]).numpy(), axis=0).mean().item(),
    }


@torch.no_grad()
def plain_evaluation(
    network: PlainNetwork, training: TrainingSpec, data: Data, dtype: torch.dtype
) -> dict[str, float | list[float]]:
    network.eval()
    logits = network(torch.from_numpy(data.test_inputs).to(dtype))
    targets = torch.from_numpy(data.test_targets)
    predicted = classes(training, logits)
    return {
        "distinct_units": distinct(network),
        "test_loss": plain_loss(training, logits, targets).item(),
        "test_accuracy": (predicted == targets).double().mean().item(),
        "predicted_share": (predicted.bincount().max() / len(targets)).item(),
    }


def double(part: Tensor | None) -> Tensor:
    assert part is not None
    return part.detach().double()


def size(part: Tensor | None) -> float:
    return double(part).square().sum().sqrt().item()


def rms(part: Tensor) -> float:
    return double(part).square().mean().sqrt().item()


def slope(activation: str, z: Tensor) -> Tensor:
    """The slope at each element, from autograd in float64."""
    z = z.detach().double().requires_grad_()
    (found,) = torch.autograd.grad(MODULES[activation](z).sum(), z)
    return found


@cache
def largest_slope(activation: str) -> float:
    return slope(activation, torch.linspace(-20, 20, 400_001)).max().item()


def saturated(slopes: Tensor, steepest: float) -> float:
    flat = slopes.flatten().tolist()
    return sum(abs(of) < 0.05 * steepest for of in flat) / len(flat)


def dead(slopes: Tensor) -> float:
    units = slopes.T.tolist()
    return sum(all(of == 0 for of in unit) for unit in units) / len(units)


def distinct(network: PlainNetwork) -> list[float]:
    shares = []
    for linear in network.layers:
        units = [tuple(unit) for unit in linear.weight.tolist()]
        shares.append(sum(units.count(unit) == 1 for unit in units) / len(units))
    return shares


class Trained(NamedTuple):
    """What the engine trained: [R, steps, ...] by variable, and the R networks at the end."""

    arrays: Arrays
    parameters: Parameters
    running: Running


def engine_training(
    spec: NetworkSpec,
    training: TrainingSpec,
    data: Data,
    seeds: Sequence[int],
    dtype: torch.dtype = torch.float32,
    engine: str = "auto",
) -> Trained:
    """Train with an engine, and keep hold of the buffers that it updates in place."""
    chunks, parameters, running = [], [], []

    def kept_parameters(*arguments):
        parameters.append(initial_parameters(*arguments))
        return parameters[-1]

    def kept_running(*arguments):
        running.append(running_statistics(*arguments))
        return running[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "initial_parameters", kept_parameters)
        patch.setattr(stages, "running_statistics", kept_running)
        engines.train(spec, training, data, seeds, chunks.append, dtype=dtype, engine=engine)
    names = chunks[0].arrays
    arrays = {name: np.concatenate([part.arrays[name] for part in chunks], 1) for name in names}
    return Trained(arrays, parameters[-1], running[-1])


def three_classes() -> Data:
    """Three clouds in five dimensions; 90 samples to train on, which 25 does not divide."""
    random = np.random.default_rng(5)
    targets = np.arange(121) % 3
    centres = random.standard_normal((3, 5))
    inputs = (centres[targets] + random.standard_normal((121, 5))).astype(np.float32)
    return Data("three classes", inputs[:90], targets[:90], inputs[90:], targets[90:])
