"""What the user logs, and the step it belongs to."""

from __future__ import annotations

import math
from collections import deque
from numbers import Integral
from typing import Any, TypeGuard

import torch
from torch import Tensor

from undertow.errors import SpecError
from undertow.watching.torch.norms import Number, numbers

ALLOWED = ("loss", "accuracy", "epoch")
RECENT = 10  # losses that are kept whether their steps are recorded or not


class LoggedValues:
    """The logged numbers of the step being made, `current`, and of the one before, `last`.

    Autograd numbers its nodes in the order in which they are made, so that a loss with its graph
    tells whether it was made before or after the last step ended. A bare number does not: it goes
    to the step being made if that has had its backward pass, or if numbers came so before; else to
    the step before, if that has none of its name yet.
    """

    def __init__(self) -> None:
        self.current: dict[str, list[Number]] = {}
        self.last: dict[str, list[Number]] | None = None
        self.epoch = 1
        self._recent: deque[tuple[int, float]] = deque(maxlen=RECENT)
        self._nodes_at_end = 0  # of the last step
        self._early = False  # numbers come between the backward pass and the step

    def log(self, values: dict[str, Any], *, passed: bool | None) -> tuple[float, bool]:
        """Take numbers; `passed` tells whether the current step has had a backward pass, if known.

        Returns the sum of those that are known already, which is not finite if one of them is not,
        and whether they are of the step before.
        """
        known, of_last = 0.0, False
        self._early = passed or self._early
        for name, value in values.items():
            number = _number(name, value)
            if name == "epoch":
                self.epoch = int(value)
                continue
            known += 0.0 if isinstance(number, Tensor) else number
            of_last = self._is_of_last(name, value, passed)
            into = self.last if of_last else self.current
            if into is not None:
                into.setdefault(name, []).append(number)
        return known, of_last

    def remember(self, step: int, loss: Any) -> None:
        """Keep a loss of any step, unless one would have to wait for it."""
        if isinstance(loss, Tensor):
            if not loss.is_cpu or loss.numel() != 1 or loss.is_complex():
                return
            loss = loss.item()
        if isinstance(loss, float | int):  # by habit logged before the step, or after it
            self._recent.append((step if self._early else max(step - 1, 1), loss))

    def recent(self) -> list[list[float]]:
        """Return the last losses that are numbers, each with its step."""
        return [[step, float(loss)] for step, loss in self._recent if math.isfinite(loss)]

    def is_finite(self, values: dict[str, Any]) -> bool:
        """Tell plain finite losses and accuracies, as far as one need not wait for them."""
        try:
            return all(
                name != "epoch" and name in ALLOWED and _is_finite(value)
                for name, value in values.items()
            )
        except (TypeError, ValueError, RuntimeError):  # `check` says what is wrong with it
            return False

    def check(self, values: dict[str, Any]) -> tuple[float, bool]:
        """Do as `log` where nothing is recorded: only whether a number is finite matters.

        Of which step it is must be guessed by the habit.
        """
        numbers_ = [_number(name, value) for name, value in values.items()]
        if "epoch" in values:
            self.epoch = int(values["epoch"])
        return sum(each for each in numbers_ if not isinstance(each, Tensor)), not self._early

    def close(self) -> None:
        """End the current step."""
        self.last, self.current = self.current, {}
        autograd: Any = torch._C._autograd  # pyright: ignore
        self._nodes_at_end = autograd._get_sequence_nr()

    def of_last(self) -> dict[str, float]:
        """Return the mean of what was logged under each name for the step before."""
        return {name: _mean(values) for name, values in (self.last or {}).items()}

    def loss(self) -> float | None:
        """Return the current step's loss as far as it is logged."""
        return _mean(self.current["loss"]) if "loss" in self.current else None

    def _is_of_last(self, name: str, value: Any, passed: bool | None) -> bool:
        if isinstance(value, Tensor) and value.grad_fn is not None:
            return value.grad_fn._sequence_nr() < self._nodes_at_end
        if passed or (passed is None and self._early):
            return False
        return self.last is not None and name not in self.last


def _is_finite(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not value.is_cpu or math.isfinite(value.item())
    return math.isfinite(value)


def _mean(values: list[Number]) -> float:
    return sum(values) / len(values) if _are_known(values) else float(numbers(values).mean())


def _are_known(values: list[Number]) -> TypeGuard[list[float]]:
    return not any(isinstance(value, Tensor) for value in values)


def _number(name: str, value: Any) -> Number:
    if name not in ALLOWED:
        raise SpecError(f"log({name}=...): allowed are {', '.join(ALLOWED)}")
    if name == "epoch" and not (isinstance(value, Integral) and value >= 1):
        raise SpecError(f"log(epoch=...): {value!r}; a whole number from 1")
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise SpecError(
                f"log({name}=...): a tensor of shape {tuple(value.shape)}; log its mean, a number"
            )
        if value.is_complex():
            raise SpecError(f"log({name}=...): a complex number; log a real one")
        return value.item() if value.is_cpu else value.detach().reshape(())
    try:
        return float(value)
    except (TypeError, ValueError):
        raise SpecError(f"log({name}=...): {value!r} is not a number") from None
