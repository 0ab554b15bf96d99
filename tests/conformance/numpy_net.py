"""A two-layer network trained by hand in NumPy: the training of a user without any framework.

`observers` is all that it offers to those who look on: they are told of each layer's call, of each
delta that comes back, of the end of a backward pass, and of the updates.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

RATE, MOMENTUM, LARGEST = 0.02, 0.9, 0.05


class Call(NamedTuple):
    """What a layer read, the number before and after its activation, and the slope between."""

    inputs: np.ndarray  # [samples, fan_in]
    z: np.ndarray
    x: np.ndarray
    slope: np.ndarray


class Layer:
    """z = inputs W + b, then tanh; the last layer is linear."""

    def __init__(self, name: str, weight: np.ndarray, activation: str) -> None:
        self.name, self.activation = name, activation
        self.weight, self.bias = weight, np.zeros_like(weight[0])
        self.weight_grad, self.bias_grad = np.zeros_like(weight), np.zeros_like(self.bias)

    def forward(self, inputs: np.ndarray) -> Call:
        z = inputs @ self.weight + self.bias
        if self.activation == "linear":
            return Call(inputs, z, z, np.ones_like(z))
        x = np.tanh(z)
        return Call(inputs, z, x, 1 - x**2)

    def backward(self, call: Call, delta: np.ndarray) -> np.ndarray:
        """Add to the gradients; return dE/d inputs."""
        self.weight_grad += call.inputs.T @ delta
        self.bias_grad += delta.sum(0)
        return delta @ self.weight.T


class Net:
    """Two layers, and the mean square of their error."""

    def __init__(self, random: np.random.Generator, *, drops: float = 0.0) -> None:
        shapes = (("hidden", (4, 8), "tanh"), ("output", (8, 1), "linear"))
        self.layers = [
            Layer(name, random.normal(size=shape) / np.sqrt(shape[0]), activation)
            for name, shape, activation in shapes
        ]
        self.training, self.drops = True, drops
        self.observers: list[Any] = []

    def astype(self, dtype: Any) -> Net:
        for layer in self.layers:
            for name in ("weight", "bias", "weight_grad", "bias_grad"):
                setattr(layer, name, getattr(layer, name).astype(dtype))
        return self

    def forward(self, inputs: np.ndarray) -> list[Call]:
        calls = []
        for layer in self.layers:
            if calls and self.training and self.drops:  # from the generator that all share
                kept = np.random.random(inputs.shape[1]) >= self.drops  # noqa: NPY002
                inputs = inputs * kept.astype(inputs.dtype)
            calls.append(layer.forward(inputs))
            self.tell("called", layer, calls[-1])
            inputs = calls[-1].x
        return calls

    def loss(self, inputs: np.ndarray, targets: np.ndarray) -> float:
        return float(np.square(self.forward(inputs)[-1].x - targets).mean())

    def forward_backward(self, inputs: np.ndarray, targets: np.ndarray, share: float) -> float:
        """Add the gradients of a part of the batch; return its share of the loss."""
        calls = self.forward(inputs)
        error = calls[-1].x - targets
        delta = (2 * share / error.size * error).astype(error.dtype)
        for layer, call in zip(reversed(self.layers), reversed(calls), strict=True):
            delta = delta * call.slope
            self.tell("came_back", layer, delta)
            delta = layer.backward(call, delta)
        self.tell("passed")
        return share * float(np.square(error).mean())

    def tell(self, what: str, *values: Any) -> None:
        for observer in list(self.observers):
            getattr(observer, what)(*values)


class Momentum:
    """Gradient descent with momentum, and gradients that may be clipped before it."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.velocities = [np.zeros_like(weight) for weight, _ in parameters(net)]

    def zero_grad(self) -> None:
        for _, gradient in parameters(self.net):
            gradient[...] = 0

    def clip(self) -> None:
        norm = np.sqrt(sum(np.square(gradient).sum() for _, gradient in parameters(self.net)))
        for _, gradient in parameters(self.net):
            gradient *= min(1.0, LARGEST / norm)

    def step(self) -> None:
        self.net.tell("updating")
        for place, (weight, gradient) in enumerate(parameters(self.net)):
            velocity = self.velocities[place].astype(weight.dtype)
            self.velocities[place] = MOMENTUM * velocity + gradient
            weight -= weight.dtype.type(RATE) * self.velocities[place].astype(weight.dtype)
        self.net.tell("updated")


def parameters(net: Net) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for layer in net.layers:
        yield layer.weight, layer.weight_grad
        yield layer.bias, layer.bias_grad


def batch(number: int, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Draw batch `number`, never from the generator that all share."""
    random = np.random.default_rng(number)
    inputs = random.normal(size=(6, 4)).astype(dtype)
    return inputs, np.sin(inputs.sum(1, keepdims=True)).astype(dtype)


@contextmanager
def evaluating(net: Net) -> Iterator[None]:
    before, net.training = net.training, False
    try:
        yield
    finally:
        net.training = before
