"""What the user logs, and the step it belongs to."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from numbers import Integral
from typing import Any, Protocol

from undertow.errors import SpecError

ALLOWED = ("loss", "accuracy", "epoch")
RECENT = 10  # losses that are kept whether their steps are recorded or not


class ScalarReader(Protocol):
    """Makes numbers of what a framework's users log; `Scalars` does for plain numbers."""

    def now(self, value: Any) -> float | None:
        """Return a number, or None where one would have to wait for a device.

        Raises TypeError, ValueError or RuntimeError for what is no number.
        """
        ...

    def keep(self, name: str, value: Any) -> Any:
        """Return a float, or what `mean` makes one of later; SpecError for what is no number."""
        ...

    def mean(self, kept: Sequence[Any]) -> float:
        """Return the mean of what was kept."""
        ...

    def is_of_last(self, value: Any) -> bool | None:
        """Tell whether a value was made before the last step ended; None where it does not say."""
        ...

    def has_begun(self) -> bool | None:
        """Tell whether anything was computed since the last step ended; None if unknown."""
        ...

    def step_ended(self) -> None:
        """Remember that a step ends now."""
        ...


class Scalars:
    """Reads plain numbers.

    >>> Scalars().mean([Scalars().keep("loss", 1), Scalars().keep("loss", 2.0)])
    1.5
    """

    def now(self, value: Any) -> float | None:
        return float(value)

    def keep(self, name: str, value: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError):
            raise SpecError(f"log({name}=...): {value!r} is not a number") from None

    def mean(self, kept: Sequence[float]) -> float:
        return sum(kept) / len(kept)

    def is_of_last(self, value: Any) -> bool | None:
        return None

    def has_begun(self) -> bool | None:
        return None

    def step_ended(self) -> None:
        """A plain number does not say when it was made."""


class LoggedValues:
    """The logged numbers of the step being made, `current`, and of the one before, `last`.

    A framework's value may tell whether it was made before or after the last step ended. A bare
    number does not: it goes to the step being made if that has had its backward pass, or if numbers
    came so before; else to the step before, if that has none of its name yet. Where nothing was
    computed since that ended, it goes there in any case.

    >>> logged = LoggedValues()
    >>> logged.log({"loss": 0.7}, passed=True)
    (0.7, False)
    >>> logged.close()
    >>> logged.of_last()
    {'loss': 0.7}
    """

    def __init__(self, reader: ScalarReader | None = None) -> None:
        self.current: dict[str, list[Any]] = {}
        self.last: dict[str, list[Any]] | None = None
        self.epoch = 1
        self._reader: ScalarReader = reader or Scalars()
        self._recent: deque[tuple[int, float]] = deque(maxlen=RECENT)
        self._early = False  # numbers come between the backward pass and the step

    def log(self, values: dict[str, Any], *, passed: bool | None) -> tuple[float, bool]:
        """Take numbers; `passed` tells whether the current step has had a backward pass, if known.

        Returns the sum of those that are known already, which is not finite if one of them is not,
        and whether they are of the step before.
        """
        known, of_last = 0.0, False
        self._early = passed or self._early
        for name, value in values.items():
            number = self._number(name, value)
            if name == "epoch":
                self.epoch = int(value)
                continue
            known += number if isinstance(number, float) else 0.0
            of_last = self._is_of_last(name, value, passed)
            into = self.last if of_last else self.current
            if into is not None:
                into.setdefault(name, []).append(number)
        return known, of_last

    def remember(self, step: int, loss: Any) -> None:
        """Keep a loss of any step, unless one would have to wait for it."""
        if loss is None:
            return
        try:
            number = self._reader.now(loss)
        except (TypeError, ValueError, RuntimeError):
            return
        if number is not None:  # by habit logged before the step, or after it
            self._recent.append((step if self._early else max(step - 1, 1), number))

    def recent(self) -> list[list[float]]:
        """Return the last losses that are numbers, each with its step."""
        return [[step, loss] for step, loss in self._recent if math.isfinite(loss)]

    def is_finite(self, values: dict[str, Any]) -> bool:
        """Tell plain finite losses and accuracies, as far as one need not wait for them."""
        try:
            return all(
                name != "epoch"
                and name in ALLOWED
                and ((number := self._reader.now(value)) is None or math.isfinite(number))
                for name, value in values.items()
            )
        except (TypeError, ValueError, RuntimeError):  # `check` says what is wrong with it
            return False

    def check(self, values: dict[str, Any]) -> tuple[float, bool]:
        """Do as `log` where nothing is recorded: only whether a number is finite matters.

        Of which step it is must be guessed by the habit.
        """
        numbers = [self._number(name, value) for name, value in values.items()]
        if "epoch" in values:
            self.epoch = int(values["epoch"])
        return sum(each for each in numbers if isinstance(each, float)), not self._early

    def close(self) -> None:
        """End the current step."""
        self.last, self.current = self.current, {}
        self._reader.step_ended()

    def of_last(self) -> dict[str, float]:
        """Return the mean of what was logged under each name for the step before."""
        return {name: self._reader.mean(values) for name, values in (self.last or {}).items()}

    def loss(self) -> float | None:
        """Return the current step's loss as far as it is logged."""
        return self._reader.mean(self.current["loss"]) if "loss" in self.current else None

    def _number(self, name: str, value: Any) -> Any:
        if name not in ALLOWED:
            raise SpecError(f"log({name}=...): allowed are {', '.join(ALLOWED)}")
        if name == "epoch" and not (isinstance(value, Integral) and int(value) >= 1):
            raise SpecError(f"log(epoch=...): {value!r}; a whole number from 1")
        return self._reader.keep(name, value)

    def _is_of_last(self, name: str, value: Any, passed: bool | None) -> bool:
        known = self._reader.is_of_last(value)
        if known is not None:
            return known
        is_open = self.last is not None and name not in self.last
        if is_open and self._reader.has_begun() is False:
            return True
        if passed or (passed is None and self._early):
            return False
        return is_open
