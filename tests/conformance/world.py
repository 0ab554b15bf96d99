"""What the promises ask of a framework: to build, to train, to look, to copy.

A framework's world is a module with these functions: `torch_world`, `numpy_world`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

import xarray

from tests.conformance.case import Case, Optimizers


class World(Protocol):
    """A framework, as a user of it sees a training."""

    PRECISIONS: tuple[Any, Any]  # in which a case is trained: single, double

    def begun(self, case: Case, precision: Any) -> AbstractContextManager[tuple[Any, Optimizers]]:
        """Build a case from seed 0."""
        ...

    def state(self, model: Any, optimizers: Optimizers) -> dict[str, object]:
        """Return the bits of all that training changes."""
        ...

    def random_states(self) -> dict[str, object]:
        """Return the state of every generator that a program shares."""
        ...

    def modes(self, model: Any) -> dict[str, object]:
        """Return what a loop may switch: training or evaluation, what is trained."""
        ...

    def attached(self, model: Any, optimizers: Optimizers) -> dict[str, object]:
        """Return what a watcher could leave behind."""
        ...

    def number(self, loss: Any) -> float:
        """Return a loss as a number."""
        ...

    def trained(self, model: Any) -> list[str]:
        """Name the layers whose weights are trained."""
        ...

    def truth(self, case: Case, precision: Any) -> xarray.Dataset:
        """Return what should have been read, found without any watcher."""
        ...

    def evaluate(self, case: Case, model: Any) -> None:
        """Make the pass of a validation set, in the ways there are."""
        ...

    def copies(self, model: Any) -> Iterator[Any]:
        """Copy a model in the ways there are."""
        ...

    def weights(self, model: Any) -> dict[str, object]:
        """Return the bits of a model's weights."""
        ...

    def train_copy(self, case: Case, model: Any) -> None:
        """Make a pass forward and back through a copy, as a training of it would."""
        ...
