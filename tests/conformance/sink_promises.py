"""What a sink may rely on, and what it owes: each promise drives one sink through a recorder.

A promise takes `make`, which makes the sink for a folder, and raises AssertionError where the sink
breaks it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from undertow.trace.record import Chunk, Event, Header, Layer, Trace, build, provenance
from undertow.trace.sink import Keeper

Make = Callable[[Path], Keeper]
Promise = Callable[[Make, Path], None]

STEPS = 7
CLIPPED = Event("clipped", 3, None, 0, "their norm was multiplied by 0.5")


def header(*names: str) -> Header:
    layers = [Layer(name, depth, "linear", "tanh", 2, 2) for depth, name in enumerate(names, 1)]
    return Header(tuple(layers), (0,), provenance("watched", created="2026-11-30"))


FIRST, LEARNT = header("one", "two"), header("two", "one")


def chunk(first: int, last: int) -> Chunk:
    steps = np.arange(first, last + 1)
    norms = np.arange(2.0 * len(steps)).reshape(1, -1, 2) + first
    return Chunk(steps, np.ones_like(steps), {"grad_norm": norms, "loss": 1.0 / steps[None]})


def driven(sink: Keeper) -> None:
    """Tell a sink of a run, as a recorder does."""
    sink.begin(FIRST)
    sink.relabel(LEARNT)
    sink.rows(chunk(1, 4))
    sink.event(CLIPPED)
    sink.rows(chunk(5, STEPS))
    sink.finish("finished")


def read_back(sink: Keeper) -> Trace:
    return build(LEARNT, sink.chunks(), sink.events())


def every_step_is_kept(make: Make, folder: Path) -> None:
    """Bit for bit, in whatever chunks they came."""
    sink = make(folder)
    driven(sink)
    found, expected = (
        build(LEARNT, each) for each in (sink.chunks(), [chunk(1, 4), chunk(5, STEPS)])
    )
    assert found.dataset.equals(expected.dataset), f"{found.dataset} and not {expected.dataset}"


def every_event_is_kept(make: Make, folder: Path) -> None:
    sink = make(folder)
    driven(sink)
    assert [event[:2] for event in sink.events()] == [CLIPPED[:2]], f"{sink.events()}"


def what_is_handed_over_stays_as_it_is(make: Make, folder: Path) -> None:
    sink, given = make(folder), chunk(1, 4)
    sink.begin(FIRST)
    sink.relabel(LEARNT)
    sink.rows(given)
    for name, array in chunk(1, 4).arrays.items():
        assert np.array_equal(given.arrays[name], array), f"{name} was changed"
    sink.finish("finished")


def a_run_can_be_read_while_it_goes_on(make: Make, folder: Path) -> None:
    sink = make(folder)
    sink.begin(FIRST)
    sink.relabel(LEARNT)
    sink.rows(chunk(1, 4))
    assert read_back(sink).dataset.step.values.tolist() == [1, 2, 3, 4], "the first steps are not"
    sink.rows(chunk(5, STEPS))
    assert read_back(sink).dataset.sizes["step"] == STEPS, "the later steps are not there"
    sink.finish("finished")


def its_size_is_stated(make: Make, folder: Path) -> None:
    """At least the bytes of what it keeps, packed to a fifth, and growing."""
    sink = make(folder)
    sink.begin(FIRST)
    sizes = [sink.size]
    for first in (1, 5):
        sink.rows(chunk(first, first + 3))
        sizes.append(sink.size)
    sink.finish("finished")
    held = sum(array.nbytes for array in chunk(1, 4).arrays.values())
    assert sizes[0] < sizes[1] < sizes[2], f"sizes {sizes}"
    assert sizes[2] - sizes[1] > held / 5, f"{sizes[2] - sizes[1]} bytes for {held}"


PROMISES: list[Promise] = [
    every_step_is_kept,
    every_event_is_kept,
    what_is_handed_over_stays_as_it_is,
    a_run_can_be_read_while_it_goes_on,
    its_size_is_stated,
]
