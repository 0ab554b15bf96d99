"""A trial: some seeds of one network on one small data set, drawn, looked at once, and trained.

What the pages and lessons do when a control moves or Train is pressed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from undertow.lab import engine
from undertow.lab.data import Data
from undertow.lab.expected import expected
from undertow.lab.toy import ToySpec
from undertow.spec import NetworkSpec, TrainingSpec, changed, validated
from undertow.trace.anomalies import anomalies
from undertow.trace.record import Chunk, Trace, build

DEEPEST, WIDEST, MOST_SEEDS, MOST_EPOCHS = 50, 64, 64, 500


class Trial(BaseModel):
    """What is trained, how, on what, and from which seeds.

    >>> net = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> Trial(network=net).seeds
    (0, 1, 2, 3, 4, 5, 6, 7)

    Parameters
    ----------
    data, network, training : ToySpec, NetworkSpec, TrainingSpec
    replicates, seed : int
        So many networks, from this seed on.

    Raises
    ------
    SpecError
        Any value out of its range, in one line that names it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: ToySpec = ToySpec()
    network: NetworkSpec
    training: TrainingSpec = TrainingSpec(optimizer="keras_adam")
    replicates: Annotated[int, Field(ge=1, le=MOST_SEEDS)] = 8
    seed: NonNegativeInt = 0

    def __init__(self, **values: Any) -> None:
        validated(super().__init__, values)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each replicate."""
        return tuple(range(self.seed, self.seed + self.replicates))


class Stopped(Exception):
    """A trial that was told to stop; it never reaches a user."""


def first_step(trial: Trial, data: Data) -> Trace:
    """Measure the first step of every replicate: one pass forward and back, before any learning.

    >>> net = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> trial = Trial(network=net)
    >>> from undertow.lab.toy import made
    >>> trace = first_step(trial, made(trial.data))
    >>> trace.dataset["delta_norm"].shape
    (8, 1, 11)

    Its numbers are, bit for bit, those of step 1 of `train`: the same seeds, the same batch.
    """
    once = trial.model_copy(update={"training": changed(trial.training, epochs=1)})
    whole = train(once, data)
    kept = ("way", "way_plan", "data_inputs", "data_targets", "data_test")
    return Trace(
        whole.dataset.isel(step=slice(0, 1)),
        tuple(event for event in whole.events if event.step == 1),
        {name: array for name, array in whole.artefacts.items() if name in kept},
    )


def train(
    trial: Trial,
    data: Data,
    receive: Callable[[int, Callable[[], Trace]], None] = lambda *_: None,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Trace:
    """Train a trial and return its trace.

    Parameters
    ----------
    trial, data : Trial, Data
    receive : callable, optional
        Called after every epoch with its number and a function that makes the trace so far, the
        decision grid of this moment included; what is not called costs nothing.
    stop : callable, optional
        Asked ten times a second or so, before some step.

    Raises
    ------
    Stopped
        It was told to.
    """
    network, training = trial.network, trial.training
    header = engine.header(
        network, training, data, trial.seeds, predicted=expected(network, training, data)
    )
    chunks: list[Chunk] = []

    def before_step() -> None:
        if stop():
            raise Stopped

    def so_far(artefacts: dict[str, Any]) -> Trace:
        trace = build(header, chunks, artefacts=artefacts)
        return Trace(trace.dataset, tuple(anomalies(trace)), trace.artefacts)

    artefacts = engine.train(
        network,
        training,
        data,
        trial.seeds,
        chunks.append,
        before_step=before_step,
        after_epoch=lambda plane: receive(len(chunks), lambda: so_far(plane())),
    )
    return so_far(artefacts)
