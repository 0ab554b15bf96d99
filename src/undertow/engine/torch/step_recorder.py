"""Which steps wait to be measured, and where each step is written."""

from __future__ import annotations

from collections.abc import Callable

import torch

from undertow.engine.common.batches import Batch
from undertow.engine.common.networks import Networks
from undertow.engine.common.sampling import Measurements
from undertow.engine.torch.buffers import Pass, StepBuffers
from undertow.engine.torch.measurements import measure_steps
from undertow.spec.training import TrainingSpec


class StepRecorder:
    """Steps written side by side, measured together when their room is full.

    `rooms` gives the passes for a batch size.
    """

    def __init__(
        self, networks: Networks, training: TrainingSpec, rooms: Callable[[int], StepBuffers]
    ) -> None:
        self._networks, self._training, self._rooms = networks, training, rooms
        self._parts: list[Measurements] = []
        self._steps: list[int] = []
        self._waiting: list[Batch] = []
        self._passes: StepBuffers | None = None

    def room(self, batch: Batch, step: int | None) -> Pass:
        """Return where to write a step; its number, or None where it is not recorded."""
        passes = self._rooms(batch.inputs.shape[2])
        if passes is not self._passes or len(self._waiting) == len(passes.each):
            self._measure()
            self._passes = passes
        at = passes.each[len(self._waiting)]
        if step is not None:
            self._waiting.append(batch)
            self._steps.append(step)
        return at

    def taken(self) -> tuple[Measurements, list[int]]:
        """Return what was measured since the last time, and the steps' numbers."""
        self._measure()
        parts, steps = self._parts, self._steps
        self._parts, self._steps = [], []
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}, steps

    def _measure(self) -> None:
        if self._waiting and self._passes:
            targets = [batch.targets for batch in self._waiting]
            squares = [batch.squares for batch in self._waiting]
            self._parts.append(
                measure_steps(self._networks, self._training, self._passes, targets, squares)
            )
            self._waiting = []
