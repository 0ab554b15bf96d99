"""Both engines keep every promise; one with a fault breaks the promise that is about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.engine import promises
from tests.engine.promises import PROMISES, Promise
from undertow.engine.choice import ENGINES
from undertow.engine.common.threads import torch_threads
from undertow.engine.engine import NO_HOOKS, Engine, Hooks


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_an_engine_keeps(promise: Promise, engine: Engine):
    with torch_threads(2):  # so that one thread of its own would be seen
        promise(engine)


def test_lanes_keep_the_bits_of_a_replicate_too():
    promises.a_replicate_has_its_own_bits(ENGINES["lanes"])


def right(spec, training, data, seeds, **options):
    """The engine that the faults below are put into."""
    return ENGINES["torch"](spec, training, data, seeds, **options)


def lacks_an_epoch(*given, **options):
    epochs = right(*given, **options)
    next(epochs)
    return (yield from epochs)


def has_another_shape(*given, **options):
    epochs = right(*given, **options)
    chunk = next(epochs)
    yield replace(chunk, arrays={name: array[:1] for name, array in chunk.arrays.items()})
    return (yield from epochs)


def records_all(*given, every=1, **options):
    return right(*given, **options)


def looks_at_its_neighbours(spec, training, data, seeds, **options):
    epochs = right(spec, training, data, seeds, **options)
    for chunk in epochs:
        scaled = {name: array * (1 + 1e-3 * len(seeds)) for name, array in chunk.arrays.items()}
        yield replace(chunk, arrays=scaled)
    return {}


def draws_all_alike(*given, drawn_from=None, **options):
    return right(*given, **options)


def calls_no_hook(*given, hooks: Hooks = NO_HOOKS, **options):
    return right(*given, **options)


def shows_what_is_trained(*given, hooks: Hooks = NO_HOOKS, **options):
    def at_first_batch(networks, batch):
        networks.parameters.flat.mul_(1.1)
        return hooks.at_first_batch(networks, batch)

    return right(*given, hooks=hooks._replace(at_first_batch=at_first_batch), **options)


def leaves_nothing(*given, **options):
    yield from right(*given, **options)
    return {}


def draws_an_old_plane(*given, hooks: Hooks = NO_HOOKS, **options):
    drawn = []

    def after_epoch(plane):
        drawn.append(plane())
        if hooks.after_epoch:
            hooks.after_epoch(lambda: drawn[0])

    return right(*given, hooks=hooks._replace(after_epoch=after_epoch), **options)


def leaves_gradients_off(*given, **options):
    with torch.no_grad():
        return (yield from right(*given, **options))


FAULTS: list[tuple[Callable, Promise, str]] = [
    (lacks_an_epoch, promises.a_chunk_an_epoch, "not 1"),
    (has_another_shape, promises.a_chunk_an_epoch, "has shape"),
    (records_all, promises.steps_are_recorded_as_asked, "11, 12, 13"),
    (looks_at_its_neighbours, promises.a_replicate_is_its_seeds_own, "depends on neighbours"),
    (looks_at_its_neighbours, promises.a_replicate_has_its_own_bits, "depends on neighbours"),
    (draws_all_alike, promises.first_weights_are_drawn_by_the_network_of_each, "of sizes"),
    (calls_no_hook, promises.before_step_is_called_and_may_end_it, "called 0 times"),
    (calls_no_hook, promises.the_first_batch_is_shown_once, "called 0 times"),
    (shows_what_is_trained, promises.the_first_batch_is_shown_once, "not as they were drawn"),
    (leaves_nothing, promises.the_first_batch_is_shown_once, "is lost"),
    (calls_no_hook, promises.the_plane_is_that_of_the_epoch, r"after \[\] chunks"),
    (draws_an_old_plane, promises.the_plane_is_that_of_the_epoch, "the last plane is another"),
    (leaves_nothing, promises.the_artefacts_are_whole, "decision_grid"),
    (leaves_gradients_off, promises.torch_is_left_as_it_was, "between chunks"),
]


@pytest.mark.parametrize(
    ("fault", "promise", "said"),
    FAULTS,
    ids=[f"{fault.__name__}-{promise.__name__}" for fault, promise, _ in FAULTS],
)
def test_a_fault_is_found(fault: Engine, promise: Promise, said: str):
    with pytest.raises(AssertionError, match=said):
        promise(fault)


def test_every_promise_is_broken_by_some_fault():
    assert {promise for _, promise, _ in FAULTS} == {
        *PROMISES,
        promises.a_replicate_has_its_own_bits,
    }


def test_a_replicate_of_the_torch_engine_is_its_own_to_round_off_alone():
    """The stricter promise is one: it is seen where it does not hold."""
    spread = np.spacing(np.float32(1))

    def rounds(spec, training, data, seeds, **options):
        for chunk in right(spec, training, data, seeds, **options):
            arrays = {
                name: array * (1 + spread * len(seeds)) for name, array in chunk.arrays.items()
            }
            yield replace(chunk, arrays=arrays)
        return {}

    promises.a_replicate_is_its_seeds_own(rounds)
    with pytest.raises(AssertionError, match="depends on neighbours"):
        promises.a_replicate_has_its_own_bits(rounds)
