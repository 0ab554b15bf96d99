"""A trial: some seeds of one network on one small data set, drawn, looked at once, and trained.

What the pages and lessons do when a control moves or Train is pressed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from undertow.data.dataset import Data
from undertow.engine import choice
from undertow.engine.engine import Artefacts, Hooks
from undertow.executors.here import Here
from undertow.executors.jobs import Finished, Job, Part
from undertow.spec.checked import with_changes
from undertow.spec.trial import Trial
from undertow.studies.expected import predict_arm
from undertow.trace.anomalies import anomalies
from undertow.trace.record import Chunk, Trace, build


class TrialStopped(Exception):
    """A trial that was told to stop; it never reaches a user.

    >>> from undertow.data.toy import make_samples
    >>> from undertow.spec.network import NetworkSpec
    >>> trial = Trial(network=NetworkSpec(inputs=2, outputs=1, depth=2, width=5, activation="tanh"))
    >>> try:
    ...     train_trial(trial, make_samples(trial.data), stop=lambda: True)
    ... except TrialStopped:
    ...     print("stopped")
    stopped
    """


def first_step(trial: Trial, data: Data) -> Trace:
    """Measure the first step of every replicate: one pass forward and back, before any learning.

    >>> from undertow.spec.network import NetworkSpec
    >>> net = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> trial = Trial(network=net)
    >>> from undertow.data.toy import make_samples
    >>> trace = first_step(trial, make_samples(trial.data))
    >>> trace.dataset["delta_norm"].shape
    (8, 1, 11)

    Its numbers are, bit for bit, those of step 1 of `train_trial`: the same seeds, the same batch.
    """
    once = trial.model_copy(update={"training": with_changes(trial.training, epochs=1)})
    whole = train_trial(once, data)
    kept = ("gradient_path", "gradient_path_plan", "data_inputs", "data_targets", "data_test")
    return Trace(
        whole.dataset.isel(step=slice(0, 1)),
        tuple(event for event in whole.events if event.step == 1),
        {name: array for name, array in whole.artefacts.items() if name in kept},
    )


def train_trial(
    trial: Trial,
    data: Data,
    receive: Callable[[int, Callable[[], Trace]], None] = lambda *_: None,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Trace:
    """Train a trial and return its trace.

    >>> from undertow.data.toy import make_samples
    >>> from undertow.spec.network import NetworkSpec
    >>> net = NetworkSpec(inputs=2, outputs=1, depth=2, width=5, activation="tanh")
    >>> trial = Trial(network=net)
    >>> once = trial.model_copy(update={"training": with_changes(trial.training, epochs=1)})
    >>> train_trial(once, make_samples(once.data)).dataset["epoch"].values.max().item()
    1

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
    TrialStopped
        It was told to.
    """
    network, training, seeds = trial.network, trial.training, tuple(trial.seeds)
    engine = choice.choose_engine(network, len(seeds))
    predicted = predict_arm(network, training, data)
    header = choice.header(network, training, data, seeds, engine=engine, predicted=predicted)
    job = Job((Part(0, 0, network, seeds),), training, engine)
    chunks: list[Chunk] = []
    left: Artefacts = {}

    def before_step() -> None:
        if stop():
            raise TrialStopped

    def so_far(artefacts: Artefacts) -> Trace:
        trace = build(header, chunks, artefacts=artefacts)
        return Trace(trace.dataset, tuple(anomalies(trace)), trace.artefacts)

    def after_epoch(plane: Callable[[], Artefacts]) -> None:
        receive(len(chunks), lambda: so_far(plane()))

    here = Here(Hooks(before_step, after_epoch=after_epoch))
    with closing(here.run([job], data)) as results:
        for _, result in results:
            match result:
                case Chunk():
                    chunks.append(result)
                case Finished(artefacts):
                    left = artefacts
    return so_far(left)
