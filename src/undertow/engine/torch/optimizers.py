"""SGD and Adam, on the buffer that holds every parameter of every replicate."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from undertow.spec.training import TrainingSpec

Change = Callable[[Tensor, Tensor], Tensor]


def optimizer(training: TrainingSpec, flat: Tensor) -> Change:
    """Return the function that turns a gradient into the change to add to the parameters.

    >>> step = optimizer(TrainingSpec(optimizer="sgd", learning_rate=0.5), torch.zeros(2))
    >>> step(torch.tensor([1.0, -2.0]), torch.empty(2))
    tensor([-0.5000,  1.0000])

    It writes into its second argument, and keeps its moments from call to call; one is made for
    each training.
    """
    return (_sgd if training.optimizer == "sgd" else _adam)(training, flat)


def _sgd(training: TrainingSpec, flat: Tensor) -> Change:
    rate, momentum = training.learning_rate, training.momentum
    velocity = torch.zeros_like(flat) if momentum else None

    def change(gradient: Tensor, out: Tensor) -> Tensor:
        if velocity is not None:
            gradient = velocity.mul_(momentum).add_(gradient)
        return torch.mul(gradient, -rate, out=out)

    return change


def _adam(training: TrainingSpec, flat: Tensor) -> Change:
    """Adam (Kingma and Ba 2014, arXiv:1412.6980), in PyTorch's form or in Keras's.

    PyTorch adds epsilon to the corrected root, Keras before the correction; where the second moment
    is near epsilon squared, as in a vanished layer, the two differ by up to a factor of 30 in the
    first steps.
    """
    rate, beta1, beta2 = training.learning_rate, training.beta1, training.beta2
    keras = training.optimizer == "keras_adam"
    first, second, root = torch.zeros_like(flat), torch.zeros_like(flat), torch.empty_like(flat)
    # MKL's root of an exact 0 takes five times as long, of a denormal thirty times. Beside any
    # epsilon in use, the root of the smallest normal number is nothing.
    smallest = torch.finfo(flat.dtype).tiny
    steps = 0

    def change(gradient: Tensor, out: Tensor) -> Tensor:
        nonlocal steps
        steps += 1
        first.lerp_(gradient, 1 - beta1)
        second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        correction1, correction2 = 1 - beta1**steps, (1 - beta2**steps) ** 0.5
        epsilon = training.epsilon if keras else training.epsilon * correction2
        torch.clamp_min(second, smallest, out=root).sqrt_().add_(epsilon)
        return torch.div(first, root, out=out).mul_(-rate * correction2 / correction1)

    return change
