"""(spec, training, data, seeds) in, chunks of a trace out: the engine that trains is chosen here.

Two engines give the same numbers: `lanes`, a C++ library that trains small networks, as many
as a vector register holds at once, and `torch`, which is the reference and trains all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from undertow.data.dataset import Data
from undertow.engine.common.sampling import FIRST_STEPS
from undertow.engine.lanes import supports
from undertow.engine.lanes import train as lanes
from undertow.engine.torch import train as torch_engine
from undertow.errors import SpecError, UnknownName
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.record import Chunk, Header, Layer, provenance

ENGINES = ("auto", "torch", "lanes")
# Each goes up when the same seed no longer gives the same numbers, to round-off.
VERSIONS: dict[str, object] = {"torch": 2, "lanes": f"lanes {lanes.VERSION}"}


def choose_engine(
    spec: NetworkSpec,
    replicates: int,
    engine: str = "auto",
    dtype: torch.dtype = torch.float32,
) -> str:
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
    if engine not in ENGINES:
        raise UnknownName("engine", engine, ENGINES)
    if engine == "torch":
        return engine
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
    every: int = 1,
    engine: str = "auto",
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
            engine=choose_engine(spec, len(seeds), engine),
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
    before_step: Callable[[], None] = lambda: None,
    after_epoch: Callable[[Callable[[], dict[str, np.ndarray]]], None] | None = None,
) -> dict[str, np.ndarray]:
    """Train one network a seed; hand over a chunk an epoch; return the artefacts.

    >>> from undertow.data.dataset import load
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> chunks = []
    >>> artefacts = train(spec, TrainingSpec(epochs=2), load("moons"), [0, 1], chunks.append)
    >>> chunks[0].arrays["grad_norm"].shape
    (2, 7, 4)

    Steps 1 to 10, every `every`-th and the last of each epoch are recorded; the test set is
    measured at the end of each epoch. The same seed gives the same network whatever its
    neighbours, to float32 round-off. `drawn_from` has, for each seed, the network whose first
    weights it gets, where that is not `spec` itself: all else is as `spec` says. `before_step` is
    called before steps, every one of the torch engine's and at least ten times a second, and may
    hold the training up. `after_epoch` is called after each epoch with a function that draws the
    plane as it is then, for those who want to see it.
    """
    # Both take the same, but that lanes know float32 alone.
    given = (spec, training, data, seeds, receive)
    with_ = {
        "every": every,
        "drawn_from": drawn_from,
        "before_step": before_step,
        "after_epoch": after_epoch,
    }
    if choose_engine(spec, len(seeds), engine, dtype) == "lanes":
        return lanes.train(*given, **with_)
    return torch_engine.train(*given, dtype=dtype, **with_)
