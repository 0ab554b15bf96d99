"""Networks in lanes, what they are given, and what is recorded of them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from undertow.data.dataset import Data
from undertow.engine.common.networks import Networks
from undertow.engine.common.sampling import is_recorded
from undertow.engine.lanes import native_library as native
from undertow.engine.lanes.layout import (
    aligned_zeros,
    keep_parameters,
    keep_running,
    parameters_in_lanes,
    running_in_lanes,
)
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.record import Chunk
from undertow.trace.schema import HISTOGRAM_BINS

TOGETHER, TENSOR_SAMPLES = 64, 512  # samples answered together; the second as torch_engine has it


class LaneInputs:
    """The samples to train on; `squares` has the mean square of each one's inputs."""

    def __init__(self, data: Data, squares: np.ndarray, classes: int) -> None:
        # The library looks neither sample nor class up twice.
        if len(data.train_inputs) != len(data.train_targets):
            raise IndexError("samples out of range: there are more targets, or fewer, than inputs")
        if not 0 <= data.train_targets.min() <= data.train_targets.max() < classes:
            raise IndexError(f"targets out of range: there are classes 0 to {classes - 1}")
        self._arrays = (
            np.ascontiguousarray(data.train_inputs, np.float32),
            np.ascontiguousarray(data.train_targets, np.int32),
            np.ascontiguousarray(squares, np.float64),
        )
        self.structure = native.Samples(*(array.ctypes.data for array in self._arrays))


class LaneRecord:
    """Room for what is measured of some epochs on end, of `steps` in all."""

    def __init__(self, lanes: Lanes, steps: range, an_epoch: int, last: int, every: int) -> None:
        spec, self._replicates = lanes.networks.spec, lanes.networks.replicates
        chosen = [step for step in steps if is_recorded(step, every, an_epoch)]
        pages = [step for step in steps if step in (1, last)]
        self._steps = np.array(chosen)
        self._ends = np.arange(steps.start, steps.stop, an_epoch)[1:]  # of the epochs but the last
        self._rows, self._pages = (_places(found, steps) for found in (chosen, pages))
        here = lanes.whole, len(chosen)
        layers, variables = spec.depth + 1, len(native.LAYER_VARIABLES)
        self._of_layers = np.empty((variables, *here, layers), np.float32)
        self._of_steps = np.empty((len(native.STEP_VARIABLES), *here), np.float32)
        shape = (len(pages), lanes.whole, spec.depth, HISTOGRAM_BINS)
        self._histogram = np.zeros(shape, np.int32)

    @property
    def pointers(self) -> tuple[int, ...]:
        """The last fields of `native.Steps`."""
        arrays = (self._rows, self._pages, self._histogram, self._of_layers, self._of_steps)
        return (*(array.ctypes.data for array in arrays), len(self._steps))

    def chunks(self, epoch: int) -> list[Chunk]:
        """Return what was measured, a chunk an epoch, the first of them `epoch`."""
        both = (native.LAYER_VARIABLES, self._of_layers), (native.STEP_VARIABLES, self._of_steps)
        cuts = [0, *np.searchsorted(self._steps, self._ends), len(self._steps)]
        found = []
        for number, (start, stop) in enumerate(pairwise(cuts), epoch):
            arrays = {
                name: array[: self._replicates, start:stop]
                for names, measured in both
                for name, array in zip(names, measured, strict=True)
            }
            found.append(Chunk(self._steps[start:stop], np.full(stop - start, number), arrays))
        return found

    def histograms(self) -> list[Tensor]:
        """Return counts [R, layers, bins] of the first and the last step, where they were here."""
        return [torch.from_numpy(page[: self._replicates]) for page in self._histogram]


class LaneAnswers:
    """What networks answer to `inputs` at the end of each of some epochs, once these were taken."""

    def __init__(self, lanes: Lanes, inputs: np.ndarray, epochs: int) -> None:
        spec, here = lanes.networks.spec, (epochs, lanes.whole)
        self._inputs = inputs  # kept, for the library reads them
        self._replicates = lanes.networks.replicates
        self._logits = np.empty((*here, spec.outputs, len(inputs)), np.float32)
        self._shares = np.empty((*here, spec.depth + 1), np.float32)
        self.part = answered_together(spec, len(inputs))
        self.structure = native.Test(
            inputs.ctypes.data,
            len(inputs),
            self.part,
            self._logits.ctypes.data,
            self._shares.ctypes.data,
        )

    @property
    def logits(self) -> Tensor:
        """[epochs, R, outputs, samples]."""
        return torch.from_numpy(self._logits[:, : self._replicates])

    @property
    def distinct_units(self) -> Tensor:
        """The share of distinct units, [epochs, layers, R]."""
        return torch.from_numpy(self._shares[:, : self._replicates]).mT


def answered_together(spec: NetworkSpec, samples: int) -> int:
    """How many samples are answered at a time; tensor-norm's numbers depend on it."""
    return min(TENSOR_SAMPLES if spec.normalisation == "tensor" else TOGETHER, samples)


class Lanes:
    """The networks of one stage, in lanes."""

    def __init__(
        self, networks: Networks, training: TrainingSpec, frozen: int, threads: int
    ) -> None:
        spec = networks.spec
        self.networks, self.training, self.threads = networks, training, threads
        self.parameters = parameters_in_lanes(networks)
        moment = self.parameters.shape if training.optimizer != "sgd" else (0,)
        first = self.parameters.shape if training.momentum or moment != (0,) else (0,)
        self.moments = aligned_zeros(first), aligned_zeros(moment)
        self._running = [running_in_lanes(each, networks.replicates) for each in networks.running]
        blocks = len(self.parameters)
        arrays = (self.parameters, *self.moments, *self._running)
        self._state = native.State(*(array.ctypes.data for array in arrays), blocks, 0)
        starts, ends = (np.array([skip[i] - 1 for skip in spec.skips], np.int32) for i in (0, 1))
        self._skips = starts, ends  # kept, for the library reads them
        self._network = native.Network(
            spec.inputs,
            spec.outputs,
            spec.depth,
            spec.width,
            native.number("activations", spec.activation),
            native.number("normalisations", spec.normalisation),
            native.number("gradients", spec.gradient),
            native.number("losses", training.loss),
            len(spec.skips),
            frozen,
            starts.ctypes.data,
            ends.ctypes.data,
            spec.branch_scale,
        )
        self._rule = native.UpdateRule(
            training.learning_rate,
            training.momentum,
            training.beta1,
            training.beta2,
            training.epsilon,
            native.number("optimizers", training.optimizer),
        )
        self._space = aligned_zeros((0,))

    @property
    def whole(self) -> int:
        """Replicates, those that fill up the last block included."""
        return len(self.parameters) * native.lanes()

    def train(
        self,
        given: LaneInputs,
        orders: np.ndarray,
        record: LaneRecord,
        test: LaneAnswers,
        start: int,
        count: int,
    ) -> None:
        """Take `count` steps from the one at `start`, counted over the epochs of `orders`."""
        samples = orders.shape[2]
        batch = min(self.training.batch_size, samples)
        steps = native.Steps(orders.ctypes.data, samples, batch, start, count, *record.pointers)
        self._call(
            native.library().lanes_train,
            max(batch, test.part),
            ctypes.byref(self._rule),
            self.training.clip or 0.0,
            ctypes.byref(self._state),
            ctypes.byref(given.structure),
            ctypes.byref(steps),
            ctypes.byref(test.structure),
        )
        self._state.steps += count

    def logits(self, inputs: np.ndarray) -> Tensor:
        """Return the answers to inputs [samples, features]: [R, outputs, samples]."""
        found = np.empty((self.whole, self.networks.spec.outputs, len(inputs)), np.float32)
        part = answered_together(self.networks.spec, len(inputs))
        self._call(
            native.library().lanes_answer,
            part,
            ctypes.byref(self._state),
            inputs.ctypes.data,
            len(inputs),
            part,
            found.ctypes.data,
        )
        return torch.from_numpy(found[: self.networks.replicates])

    def distinct_units(self) -> Tensor:
        """Return the share of distinct units, [layers, R]."""
        found = np.empty((self.whole, self.networks.spec.depth + 1), np.float32)
        native.library().lanes_distinct(
            ctypes.byref(self._network), ctypes.byref(self._state), found.ctypes.data, self.threads
        )
        return torch.from_numpy(found[: self.networks.replicates]).T

    def first_weights(self) -> Tensor:
        """Return layer 1's weights, [R, in, out]."""
        spec = self.networks.spec
        rows = self.parameters[:, : spec.inputs * spec.width].transpose(0, 2, 1)
        weights = rows.reshape(-1, spec.width, spec.inputs)[: self.networks.replicates]
        return torch.from_numpy(weights.copy()).mT

    def keep(self) -> Networks:
        """Give the networks what was trained, and return them."""
        keep_parameters(self.networks, self.parameters)
        for own, kept in zip(self.networks.running, self._running, strict=True):
            keep_running(own, kept, self.networks.replicates)
        return self.networks

    def _call(self, function: Callable[..., None], batch: int, *arguments: object) -> None:
        each = native.library().lanes_space(ctypes.byref(self._network), batch)
        if self._space.size < each * self.threads * native.lanes():
            self._space = aligned_zeros((each * self.threads, native.lanes()))
        memory = self._space.ctypes.data, each, self.threads
        function(ctypes.byref(self._network), *arguments, *memory)


def _places(chosen: Sequence[int], steps: range) -> np.ndarray:
    """Return the place of each step among those chosen, or -1."""
    found = np.full(len(steps), -1, np.int32)
    found[np.asarray(chosen, int) - steps.start] = range(len(chosen))
    return found
