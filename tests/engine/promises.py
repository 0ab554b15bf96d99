"""What every engine owes: each promise checks one, and raises AssertionError where it is broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from undertow.data.dataset import load
from undertow.engine.common.parameters import initial_parameters
from undertow.engine.common.random_streams import generator
from undertow.engine.engine import Artefacts, Engine, Hooks, hand_over
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.record import Chunk
from undertow.trace.schema import VARIABLES

Promise = Callable[[Engine], None]

DATA = load("moons")
SPEC = NetworkSpec(inputs=2, outputs=1, depth=3, width=6, activation="tanh")
EPOCHS, STEPS = 4, 7  # steps an epoch
TRAINING = TrainingSpec(optimizer="sgd", learning_rate=0.1, epochs=EPOCHS)
SEEDS = [4, 0, 9]
ARTEFACTS = {"first_layer_change", "first_layer_weights", "preactivation_histogram"}
PLANE = {"decision_grid", "decision_extent", "data_inputs", "data_targets", "data_test"}


class Enough(Exception):
    """What a hook ends a training with."""


def trained(
    engine: Engine, seeds: Sequence[int] = SEEDS, **options
) -> tuple[list[Chunk], Artefacts]:
    chunks: list[Chunk] = []
    return chunks, hand_over(engine(SPEC, TRAINING, DATA, seeds, **options), chunks.append)


def a_chunk_an_epoch(engine: Engine) -> None:
    """In order, counted from 1, each array as the schema has it."""
    chunks, _ = trained(engine)
    for epoch, chunk in enumerate(chunks, 1):
        steps = list(range((epoch - 1) * STEPS + 1, epoch * STEPS + 1))
        assert chunk.epochs.tolist() == [epoch] * STEPS, f"epochs {chunk.epochs}, not {epoch}"
        assert chunk.steps.tolist() == steps, f"steps {chunk.steps}, not {steps}"
        for name, array in chunk.arrays.items():
            sizes = {"replicate": len(SEEDS), "step": STEPS, "layer": SPEC.depth + 1}
            shape = tuple(sizes[dim] for dim in VARIABLES[name].dims)
            assert array.shape == shape, f"{name} has shape {array.shape}, not {shape}"
    assert len(chunks) == EPOCHS, f"{len(chunks)} chunks of {EPOCHS} epochs"


def steps_are_recorded_as_asked(engine: Engine) -> None:
    """1 to 10, every fifth and the last of each epoch, each as if all were."""
    every, few = trained(engine)[0], trained(engine, every=5)[0]
    recorded = [step for chunk in few for step in chunk.steps.tolist()]
    asked = [step for step in range(1, 29) if step <= 10 or step % 5 == 0 or step % STEPS == 0]
    assert recorded == asked, f"steps {recorded}, not {asked}"
    for whole, part in zip(every, few, strict=True):
        places = np.searchsorted(whole.steps, part.steps)
        for name, array in part.arrays.items():
            same = np.array_equal(whole.arrays[name][:, places], array, equal_nan=True)
            assert same, f"{name} depends on what is recorded"


def a_replicate_is_its_seeds_own(engine: Engine) -> None:
    """To round-off, in whatever company."""
    company(engine, lambda one, other: np.allclose(one, other, 1e-4, 1e-6, equal_nan=True))


def a_replicate_has_its_own_bits(engine: Engine) -> None:
    """What lanes promise beyond that."""
    company(engine, lambda one, other: np.array_equal(one, other, equal_nan=True))


def company(engine: Engine, same: Callable[[np.ndarray, np.ndarray], bool]) -> None:
    among = trained(engine)[0]
    for place, seed in enumerate(SEEDS):
        for one, other in zip(among, trained(engine, [seed])[0], strict=True):
            for name, array in other.arrays.items():
                assert same(one.arrays[name][place], array[0]), f"{name} depends on neighbours"


def first_weights_are_drawn_by_the_network_of_each(engine: Engine) -> None:
    wide = with_changes(SPEC, initialisation="normal(3)")
    chunks, _ = trained(engine, [7, 7], drawn_from=[wide, SPEC])
    sizes = chunks[0].arrays["weight_norm"][:, 0]
    assert (sizes[0] > 3 * sizes[1]).all(), f"weights of sizes {sizes}"


def before_step_is_called_and_may_end_it(engine: Engine) -> None:
    """Before the first step, and again later."""
    calls, taken = [], []

    def before_step() -> None:
        calls.append(len(taken))
        if len(calls) == 2:
            raise Enough

    try:
        hand_over(engine(SPEC, TRAINING, DATA, SEEDS, hooks=Hooks(before_step)), taken.append)
    except Enough:
        assert calls[0] == 0, "before_step was first called after an epoch"
        assert len(taken) < EPOCHS, "before_step was called when all was over"
    else:
        raise AssertionError(f"before_step was called {len(calls)} times, or its error swallowed")


def the_first_batch_is_shown_once(engine: Engine) -> None:
    """With the networks as they were drawn; what is returned is among the artefacts."""
    seen = []

    def at_first_batch(networks, batch) -> Artefacts:
        seen.append((networks.parameters.flat.clone(), batch.inputs.clone(), batch.targets.clone()))
        return {"mine": np.ones(3)}

    _, left = trained(engine, hooks=Hooks(at_first_batch=at_first_batch))
    assert len(seen) == 1, f"at_first_batch was called {len(seen)} times"
    assert "mine" in left, "what at_first_batch returned is lost"
    ((parameters, inputs, targets),) = seen
    drawn = initial_parameters(SPEC, SEEDS, torch.float32).flat
    assert torch.equal(parameters, drawn), "the networks are not as they were drawn"
    for place, seed in enumerate(SEEDS):
        first = generator(seed, "order").permutation(len(DATA.train_targets))[:32]
        assert np.array_equal(inputs[place].T, DATA.train_inputs[first]), "another batch"
        assert np.array_equal(targets[place], DATA.train_targets[first]), "another batch"


def the_plane_is_that_of_the_epoch(engine: Engine) -> None:
    """`after_epoch` is called when the chunk was taken; the last plane is the artefact."""
    taken, planes = [], []

    def after_epoch(plane: Callable[[], Artefacts]) -> None:
        planes.append((len(taken), plane()["decision_grid"]))

    hooks = Hooks(after_epoch=after_epoch)
    left = hand_over(engine(SPEC, TRAINING, DATA, SEEDS, hooks=hooks), taken.append)
    called = [count for count, _ in planes]
    assert called == list(range(1, EPOCHS + 1)), f"after_epoch was called after {called} chunks"
    assert np.array_equal(planes[-1][1], left["decision_grid"]), "the last plane is another"
    assert not np.array_equal(planes[0][1], planes[-1][1]), "the plane stands still"


def the_artefacts_are_whole(engine: Engine) -> None:
    _, left = trained(engine)
    lacking = (ARTEFACTS | PLANE) - left.keys()
    assert not lacking, f"artefacts are lacking: {sorted(lacking)}"
    assert len(left["decision_grid"]) == len(SEEDS)


def torch_is_left_as_it_was(engine: Engine) -> None:
    """Between two chunks, and at the end."""
    before = torch.is_grad_enabled(), torch.get_num_threads()
    for _ in engine(SPEC, TRAINING, DATA, SEEDS):
        now = torch.is_grad_enabled(), torch.get_num_threads()
        assert now == before, f"gradients and threads {now} between chunks, before {before}"
    now = torch.is_grad_enabled(), torch.get_num_threads()
    assert now == before, f"gradients and threads {now} at the end, before {before}"


PROMISES: list[Promise] = [
    a_chunk_an_epoch,
    steps_are_recorded_as_asked,
    a_replicate_is_its_seeds_own,
    first_weights_are_drawn_by_the_network_of_each,
    before_step_is_called_and_may_end_it,
    the_first_batch_is_shown_once,
    the_plane_is_that_of_the_epoch,
    the_artefacts_are_whole,
    torch_is_left_as_it_was,
]
