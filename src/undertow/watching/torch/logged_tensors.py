"""Logged tensors as numbers: on a GPU without waiting, and by their graph of a known step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from undertow.errors import SpecError
from undertow.watching.core.logged_values import Scalars
from undertow.watching.torch.norms import Number, numbers

plain = Scalars()


class LoggedTensors:
    """Reads tensors and plain numbers.

    Autograd numbers its nodes in the order in which they are made, so that a loss with its graph
    tells whether it was made before or after the last step ended.

    >>> LoggedTensors().keep("loss", torch.tensor(0.5, requires_grad=True))
    0.5
    """

    def __init__(self) -> None:
        self._nodes_at_end = 0  # of the last step
        self._nodes_then = 0  # when a pass or an update last ended

    def now(self, value: Any) -> float | None:
        if not isinstance(value, Tensor):
            return plain.now(value)
        if not value.is_cpu:
            return None
        return float(value.item())

    def keep(self, name: str, value: Any) -> Number:
        if not isinstance(value, Tensor):
            return plain.keep(name, value)
        if value.numel() != 1:
            raise SpecError(
                f"log({name}=...): a tensor of shape {tuple(value.shape)}; log its mean, a number"
            )
        if value.is_complex():
            raise SpecError(f"log({name}=...): a complex number; log a real one")
        return float(value.item()) if value.is_cpu else value.detach().reshape(())

    def mean(self, kept: Sequence[Number]) -> float:
        if any(isinstance(value, Tensor) for value in kept):
            return float(numbers(kept).mean())
        return plain.mean([float(value) for value in kept])

    def is_of_last(self, value: Any) -> bool | None:
        if isinstance(value, Tensor) and value.grad_fn is not None:
            return value.grad_fn._sequence_nr() < self._nodes_at_end
        return None

    def mark(self) -> None:
        """Remember that a backward pass or an update ends now: a step ends there, if it does.

        That it did may show later, when another has begun.
        """
        self._nodes_then = _nodes()

    def has_begun(self) -> bool | None:
        return None if self._nodes_at_end == 0 else _nodes() > self._nodes_at_end

    def step_ended(self) -> None:
        self._nodes_at_end = self._nodes_then


def _nodes() -> int:
    """Count the nodes that autograd has made in this thread."""
    autograd: Any = torch._C._autograd  # pyright: ignore
    return autograd._get_sequence_nr()
