"""A lane depends on itself alone: its bits are the same beside any other networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.engine.plain_torch import three_classes
from undertow.data.dataset import load
from undertow.engine import choice
from undertow.engine.lanes import native_library
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.record import Chunk

MOONS = load("moons")
NET = NetworkSpec(inputs=2, outputs=1, depth=6, width=7, activation="relu")
SGD = TrainingSpec(optimizer="sgd", learning_rate=0.05, epochs=2)
ARMS = {
    "relu": (NET, SGD, MOONS),
    "clipped": (with_changes(NET, activation="selu"), with_changes(SGD, clip=0.05), MOONS),
    "unit": (with_changes(NET, gradient="unit"), SGD, MOONS),
    "batch norm": (with_changes(NET, normalisation="batch"), SGD, MOONS),
    "layer norm": (with_changes(NET, normalisation="layer", skips="identity"), SGD, MOONS),
    "tensor norm": (with_changes(NET, normalisation="tensor", activation="gelu"), SGD, MOONS),
    "classes": (
        with_changes(NET, inputs=5, outputs=3, activation="tanh"),
        with_changes(SGD, optimizer="adam", loss="cross_entropy", batch_size=13),
        three_classes(),
    ),
}
# The first weights of a neighbour, and what its first steps then are.
NEIGHBOURS = {
    "large": {"gain": 1e4},
    "infinite": {"gain": 1e15},
    "not a number": {"initialisation": "normal(1e37)"},
    "dead": {"initialisation": "normal(0)"},
}
OURS, OTHERS = 7, range(20, 20 + 2 * 8 - 1)  # two blocks, of whatever instruction set


def trained(
    arm: str, place: int, others: Sequence[NetworkSpec]
) -> tuple[list[Chunk], dict[str, np.ndarray]]:
    """Train seed `OURS` at a place among other seeds, whose first weights are of `others`."""
    spec, how, data = ARMS[arm]
    seeds, drawn_from, chunks = list(OTHERS), list(others), []
    seeds.insert(place, OURS)
    drawn_from.insert(place, spec)
    artefacts = choice.train(
        spec, how, data, seeds, chunks.append, engine="lanes", drawn_from=drawn_from
    )
    return chunks, artefacts


def bits(found: tuple[list[Chunk], dict[str, np.ndarray]], place: int) -> dict[str, bytes]:
    chunks, artefacts = found
    arrays = {name: [chunk.arrays[name][place] for chunk in chunks] for name in chunks[0].arrays}
    arrays["first_layer_weights"] = list(artefacts["first_layer_weights"][:, place])
    return {name: b"".join(each.tobytes() for each in own) for name, own in arrays.items()}


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.usefixtures("instruction_set")
def test_no_neighbour_changes_a_bit(arm: str) -> None:
    spec = ARMS[arm][0]
    expected = bits(trained(arm, 0, [spec] * len(OTHERS)), 0)
    for place, (kind, changes) in enumerate(NEIGHBOURS.items(), start=native_library.lanes() - 2):
        beside = trained(arm, place, [with_changes(spec, **changes)] * len(OTHERS))
        assert bits(beside, place) == expected, kind
    # Half of a block of one kind, half of another.
    kinds = [with_changes(spec, **changes) for changes in NEIGHBOURS.values()]
    mixed = [kinds[at % len(kinds)] for at, _ in enumerate(OTHERS)]
    assert bits(trained(arm, 3, mixed), 3) == expected


def test_the_comparison_can_fail() -> None:
    among = trained("relu", 0, [NET] * len(OTHERS))
    assert bits(among, 0) != bits(among, 1)
    assert set(bits(among, 0)) == set(bits(among, 1))


def test_the_neighbours_are_what_they_are_called() -> None:
    first = {}
    for kind, changes in NEIGHBOURS.items():
        chunks, _ = trained("relu", 0, [with_changes(NET, **changes)] * len(OTHERS))
        first[kind] = {name: array[1:, 0] for name, array in chunks[0].arrays.items()}
    with np.errstate(over="ignore"):
        assert (first["large"]["grad_norm"].max(-1) > 1e19).all()
        assert np.isinf(first["infinite"]["preactivation_rms"]).any(-1).all()
    assert np.isnan(first["not a number"]["loss"]).all()
    assert (first["dead"]["dead_fraction"][:, :-1] == 1).all()
    assert all(np.isfinite(first["dead"]["grad_norm"]).ravel())
