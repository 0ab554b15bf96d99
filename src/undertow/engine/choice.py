"""Which engine trains what. A study asks once, in its plan; its jobs carry the answer.

Two engines give the same numbers: `lanes`, a C++ library that trains small networks, as many
as a vector register holds at once, and `torch`, which is the reference and trains all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch

from undertow.data.dataset import Data
from undertow.engine.common.batches import Batch
from undertow.engine.common.networks import Networks
from undertow.engine.common.path_factors import gradient_path
from undertow.engine.common.sampling import FIRST_STEPS
from undertow.engine.engine import (
    NO_HOOKS,
    Artefacts,
    Engine,
    EngineName,
    Epochs,
    Hooks,
    hand_over,
)
from undertow.engine.lanes import supports
from undertow.engine.lanes import train as lanes
from undertow.engine.torch import train as torch_engine
from undertow.errors import SpecError, UnknownName
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.gradient_path import as_artefacts
from undertow.trace.record import Chunk, Header, Layer, provenance

ENGINES: dict[EngineName, Engine] = {"torch": torch_engine.train, "lanes": lanes.train}
# Each goes up when the same seed no longer gives the same numbers, to round-off.
VERSIONS: dict[EngineName, object] = {"torch": 2, "lanes": f"lanes {lanes.VERSION}"}


def choose_engine(
    spec: NetworkSpec,
    replicates: int,
    engine: str = "auto",
    dtype: torch.dtype = torch.float32,
) -> EngineName:
    """Name the engine that trains so many of a network: `torch` or `lanes`.

    >>> wide = NetworkSpec(inputs=2, outputs=1, depth=3, width=300, activation="tanh")
    >>> choose_engine(wide, 100)
    'torch'

    Raises
    ------
    UnknownName
        No such engine.
    SpecError
        `lanes`, of a network that they do not train.
    """
    if engine not in ("auto", *ENGINES):
        raise UnknownName("engine", engine, ("auto", *ENGINES))
    if engine == "torch":
        return "torch"
    reason = supports.refusal(spec, dtype)
    if reason and engine == "lanes":
        raise SpecError(f"engine lanes: {reason}; or type  --engine torch")
    if engine == "auto" and not supports.worth(spec, replicates):
        return "torch"
    return "torch" if reason else "lanes"


def header(
    spec: NetworkSpec,
    training: TrainingSpec,
    data: Data,
    seeds: Sequence[int],
    *,
    engine: EngineName,
    every: int = 1,
    **attributes: object,
) -> Header:
    """Describe a run before its first step.

    >>> from undertow.data.dataset import load
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=2, width=10, activation="tanh")
    >>> found = header(spec, TrainingSpec(), load("moons"), seeds=[0, 1], engine="torch")
    >>> [layer.name for layer in found.layers], found.seeds, found.attributes["engine"]
    (['hidden_1', 'hidden_2', 'output'], (0, 1), 'torch')
    """
    activations = [spec.activation] * spec.depth + ["linear"]
    layers = tuple(
        Layer(name, depth, "linear", activation, *shape)
        for depth, (name, activation, shape) in enumerate(
            zip(spec.layer_names, activations, spec.layer_shapes, strict=True), start=1
        )
    )
    return Header(
        layers,
        tuple(seeds),
        provenance(
            "trained",
            engine=engine,
            device="cpu",
            dtype="float32",
            batch_size=training.batch_size,
            sampling=f"steps 1 to {FIRST_STEPS}, every {every}, and the last of each epoch",
            data=data.name,
            larger_test_share=data.larger_test_share,
            network=spec.model_dump(mode="json"),
            training=training.model_dump(mode="json"),
            **attributes,
        ),
    )


def train_with(
    engine: Engine,
    spec: NetworkSpec,
    training: TrainingSpec,
    data: Data,
    seeds: Sequence[int],
    *,
    every: int = 1,
    drawn_from: Sequence[NetworkSpec] | None = None,
    hooks: Hooks = NO_HOOKS,
) -> Epochs:
    """Train one network a seed with this engine; its first batch is measured for `explain`.

    >>> from undertow.data.dataset import load
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> epochs = train_with(ENGINES["torch"], spec, TrainingSpec(epochs=2), load("moons"), [0, 1])
    >>> [chunk.arrays["grad_norm"].shape for chunk in epochs]
    [(2, 7, 4), (2, 7, 4)]
    """
    hooks = hooks._replace(at_first_batch=partial(path_artefacts, spec, training))
    return engine(spec, training, data, seeds, every=every, drawn_from=drawn_from, hooks=hooks)


def path_artefacts(
    spec: NetworkSpec, training: TrainingSpec, networks: Networks, batch: Batch
) -> Artefacts:
    """Return what the gradient of a batch crosses, as a trace keeps it for `explain`.

    Nothing where there is no way between hidden layers, or where a first stage has a part of them.
    """
    if not 1 < spec.depth == networks.spec.depth:
        return {}
    path = gradient_path(spec, training, networks.parameters, batch.inputs, batch.targets)
    return as_artefacts(path)


def train(
    spec: NetworkSpec,
    training: TrainingSpec,
    data: Data,
    seeds: Sequence[int],
    receive: Callable[[Chunk], None],
    *,
    every: int = 1,
    drawn_from: Sequence[NetworkSpec] | None = None,
    dtype: torch.dtype = torch.float32,
    engine: str = "auto",
    before_step: Callable[[], None] = NO_HOOKS.before_step,
    after_epoch: Callable[[Callable[[], Artefacts]], None] | None = None,
) -> Artefacts:
    """Train one network a seed with the engine that suits; hand over a chunk an epoch.

    >>> from undertow.data.dataset import load
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> chunks = []
    >>> artefacts = train(spec, TrainingSpec(epochs=2), load("moons"), [0, 1], chunks.append)
    >>> chunks[0].arrays["grad_norm"].shape
    (2, 7, 4)

    The artefacts are returned. What is recorded, and when the hooks are called, `Engine` and
    `Hooks` of `undertow.engine.engine` say; in float64 the torch engine alone trains.
    """
    chosen = ENGINES[choose_engine(spec, len(seeds), engine, dtype)]
    if dtype != torch.float32:
        chosen = partial(torch_engine.train, dtype=dtype)
    hooks = Hooks(before_step, after_epoch=after_epoch)
    epochs = train_with(
        chosen, spec, training, data, seeds, every=every, drawn_from=drawn_from, hooks=hooks
    )
    return hand_over(epochs, receive)
