"""What the user logs, and the step it belongs to."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from undertow.errors import SpecError
from undertow.watching.hooks import Guard
from undertow.watching.norms import Number, numbers

ALLOWED = ("loss", "accuracy", "epoch")


class Logged:
    """The logged numbers of the step being made, `current`, and of the one before, `last`.

    Logged after a backward pass of the current step, a number is of that step. Otherwise it is of
    the step before, if that has none of its name yet; and a loss whose own backward pass is still
    to come goes over to the current step when it comes.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.current: dict[str, list[Number]] = {}
        self.last: dict[str, list[Number]] | None = None
        self.epoch = 1

    def log(self, values: dict[str, Any], *, passed: bool) -> float:
        """Take numbers; `passed` where the current step has had a backward pass.

        Returns the sum of those that are known already: not finite if one of them is not.
        """
        known = 0.0
        for name, value in values.items():
            if name not in ALLOWED:
                raise SpecError(f"log({name}=...): allowed are {', '.join(ALLOWED)}")
            number = _number(name, value)
            if name == "epoch":
                self.epoch = int(numbers([number])[0])
                continue
            known += 0.0 if isinstance(number, Tensor) else number
            is_late = not passed and self.last is not None and name not in self.last
            into = self.last if is_late and self.last is not None else self.current
            into.setdefault(name, []).append(number)
            if is_late and isinstance(value, Tensor) and value.grad_fn is not None:
                value.register_hook(partial(self._guard.run, self._move, name, number, into))
        return known

    def close(self) -> dict[str, float]:
        """End the current step; return what was logged for the step before it."""
        found, self.last, self.current = self.read(self.last), self.current, {}
        return found

    def read(self, logged: dict[str, list[Number]] | None) -> dict[str, float]:
        """Return the mean of what was logged under each name."""
        return {
            name: float(np.mean(numbers(values)))
            for name, values in (logged or {}).items()
            if values
        }

    def _move(self, name: str, number: Number, into: dict[str, list[Number]], _: Tensor) -> None:
        if name in into and any(each is number for each in into[name]):
            into[name] = [each for each in into[name] if each is not number]
            if not into[name]:
                del into[name]
            self.current.setdefault(name, []).append(number)


def _number(name: str, value: Any) -> Number:
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise SpecError(
                f"log({name}=...): a tensor of shape {tuple(value.shape)}; log its mean, a number"
            )
        value = value.detach().reshape(())
        return value.item() if value.device.type == "cpu" else value
    try:
        return float(value)
    except (TypeError, ValueError):
        raise SpecError(f"log({name}=...): {value!r} is not a number") from None
