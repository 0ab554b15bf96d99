"""What anyone who watches a training owes it: each promise checks one watcher on one case.

A promise takes the framework as a `World`, `watch`, a context manager called as `undertow.watch`
is, and a case; it raises AssertionError where it is broken. It knows nothing of how a watcher
works; what is true it asks the world's oracle, and what would have happened without a watcher it
asks an unwatched twin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import xarray

from tests.conformance.case import Case
from tests.conformance.runs import Watch, given, run, twin
from tests.conformance.world import World

Promise = Callable[[World, Watch, Case], None]

FEW = 4  # steps of a run that looks at something other than numbers
ALWAYS = 10  # steps at the start that are recorded however rarely the rest is
TOLERANCE = 1e-5
ERRORS = 4  # an estimate may miss by so many of its standard errors
WIDEST = 4  # and state so many times the error that a sample of 4,096 entries leaves
CLOCK_AND_CHANCE = {"overhead", "update_norm", "update_norm_se"}  # differ between equal runs


class Stop(Exception):
    """Something goes wrong in a user's loop."""


def training_is_bit_identical(world: World, watch: Watch, case: Case) -> None:
    """Weights, buffers, gradients and the optimizer's state, recorded always and by default."""
    for every in (1, "auto"):
        watched, alone = run(world, watch, case, every), twin(world, case, every)
        same(
            world.state(watched.model, watched.optimizers),
            world.state(alone.model, alone.optimizers),
            f"the end of a run with every={every!r}",
        )


def random_numbers_are_untouched(world: World, watch: Watch, case: Case) -> None:
    """The generators of torch, NumPy and Python end where they would have."""
    for every in (1, "auto"):
        found, expected = run(world, watch, case, every), twin(world, case, every)
        same(found.random_states, expected.random_states, f"generators with every={every!r}")


def modes_are_untouched(world: World, watch: Watch, case: Case) -> None:
    """Training mode and `requires_grad`, as the loop finds them in each step."""
    pairs = zip(run(world, watch, case).modes, twin(world, case).modes, strict=True)
    for number, (found, expected) in enumerate(pairs, 1):
        same(found, expected, f"modes in step {number}")


def one_row_an_update(world: World, watch: Watch, case: Case) -> None:
    """Steps count updates, from 1, and carry the loss that was logged in them."""
    found = dataset(run(world, watch, case).trace)
    assert found.step.values.tolist() == list(range(1, case.dense + 1)), (
        f"steps {found.step.values}"
    )
    expected = twin(world, case).losses
    np.testing.assert_allclose(found.loss.values, expected, rtol=TOLERANCE, err_msg="loss")


def gradients_are_true(world: World, watch: Watch, case: Case) -> None:
    """Accumulated, before clipping, as the optimizer's own step had them."""
    for found, expected in in_both_precisions(world, watch, case):
        agree("grad_norm", found, expected)


def deltas_are_true(world: World, watch: Watch, case: Case) -> None:
    """Of each call of a layer, over all that arrived for the update."""
    for found, expected in in_both_precisions(world, watch, case):
        agree("delta_norm", found, expected)


def updates_are_true(world: World, watch: Watch, case: Case) -> None:
    """The change applied: exact, or within the error stated, if that says anything.

    A frozen weight may be given as unmoved or as not measured.
    """
    trained = world.trained(run(world, watch, case).model)
    for found, expected in in_both_precisions(world, watch, case):
        expected = expected.sel(layer=trained)
        errors = found.update_norm_se.sel(step=expected.step, layer=trained)
        allowed = WIDEST * expected.update_norm_se + TOLERANCE * expected.update_norm
        exact = expected.update_norm_se == 0
        assert (errors.where(exact, 0) == 0).all(), "an exact update has an error"
        assert (errors <= allowed).all(), "an update's stated error is too wide"
        agree("update_norm", found, expected, ERRORS * errors)
        agree("weight_norm", found, expected)


def sampling_changes_no_reading(world: World, watch: Watch, case: Case) -> None:
    """What the default records, the first steps whole, is what recording every step finds."""
    found = dataset(run(world, watch, case, "auto").trace)
    steps = found.step.values.tolist()
    assert steps[:ALWAYS] == list(range(1, ALWAYS + 1)), f"the first steps are {steps[:ALWAYS]}"
    both = [step for step in steps if step <= case.dense]
    unchanged(found.sel(step=both), dataset(run(world, watch, case).trace).sel(step=both))


def an_evaluation_changes_no_reading(world: World, watch: Watch, case: Case) -> None:
    """A pass without gradients between the steps, and one within them, where the loop logs."""
    with world.begun(case, world.PRECISIONS[0]) as (model, optimizers):

        def log(**logged: Any) -> None:
            world.evaluate(case, model)
            w.log(**logged)

        with watch(model, given(optimizers), every=1) as w:
            for number in range(1, FEW + 1):
                case.step(model, optimizers, number, log)
                world.evaluate(case, model)
    found = dataset(w.trace())
    unchanged(found, dataset(run(world, watch, case).trace).sel(step=found.step))


def copies_work_and_do_not_report(world: World, watch: Watch, case: Case) -> None:
    """`deepcopy` and `torch.save` in the middle of a step: both train, unwatched."""
    with world.begun(case, world.PRECISIONS[0]) as (model, optimizers):

        def log(**logged: Any) -> None:
            w.log(**logged)
            if number == 2:
                for made in world.copies(model):
                    same(world.weights(made), world.weights(model), "a copy")
                    world.train_copy(case, made)

        with watch(model, given(optimizers), every=1) as w:
            for number in range(1, FEW + 1):
                case.step(model, optimizers, number, log)
    found = dataset(w.trace())
    unchanged(found, dataset(run(world, watch, case).trace).sel(step=found.step))


def hooks_go_on_close(world: World, watch: Watch, case: Case) -> None:
    """Nothing is left on the model, and nothing is recorded any more."""
    with world.begun(case, world.PRECISIONS[0]) as (model, optimizers):
        before = world.attached(model, optimizers)
        with watch(model, given(optimizers), every=1) as w:
            for number in range(1, FEW):
                case.step(model, optimizers, number, w.log)
            w.close()
            same(world.attached(model, optimizers), before, "attached after close")
            case.step(model, optimizers, FEW, lambda **_: None)
    same(world.attached(model, optimizers), before, "attached at the end")
    assert dataset(w.trace()).step.values.tolist() == list(range(1, FEW))


def hooks_go_on_an_exception(world: World, watch: Watch, case: Case) -> None:
    """It passes through; the model is bare and trains on; the steps before it are kept."""
    with world.begun(case, world.PRECISIONS[0]) as (model, optimizers):
        before = world.attached(model, optimizers)

        def log(**logged: Any) -> None:
            if number == FEW:
                raise Stop
            w.log(**logged)

        stopped = False
        try:
            with watch(model, given(optimizers), every=1) as w:
                for number in range(1, FEW + 1):
                    case.step(model, optimizers, number, log)
        except Stop:
            stopped = True
        assert stopped, "the exception was swallowed"
        same(world.attached(model, optimizers), before, "attached after an exception")
        case.step(model, optimizers, FEW, lambda **_: None)
    steps = dataset(w.trace()).step.values.tolist()
    assert steps in (list(range(1, FEW)), list(range(1, FEW + 1))), f"steps {steps} are kept"


PROMISES: list[Promise] = [
    training_is_bit_identical,
    random_numbers_are_untouched,
    modes_are_untouched,
    one_row_an_update,
    gradients_are_true,
    deltas_are_true,
    updates_are_true,
    sampling_changes_no_reading,
    an_evaluation_changes_no_reading,
    copies_work_and_do_not_report,
    hooks_go_on_close,
    hooks_go_on_an_exception,
]


def in_both_precisions(
    world: World, watch: Watch, case: Case
) -> Iterator[tuple[xarray.Dataset, xarray.Dataset]]:
    """Pair what was recorded with what is true.

    Watched in float64, a model and its oracle do the same sums, and what differs is the measuring.
    In float32 the oracle takes the twin's own float32 gradients and adds their squares in float64:
    how training itself rounds, much in a deep network, is no fault of a watcher's.
    """
    for precision in world.PRECISIONS:
        found = dataset(run(world, watch, case, 1, precision).trace)
        expected = world.truth(case, precision)
        unknown = {*map(str, found.layer.values)} ^ {*map(str, expected.layer.values)}
        assert not unknown, f"layers that one side alone knows: {', '.join(sorted(unknown))}"
        yield found, expected


def same(found: Mapping[str, object], expected: Mapping[str, object], what: str) -> None:
    """Raise AssertionError at a name that one side lacks or that holds something else."""
    names = sorted(found.keys() | expected.keys())
    other = [
        name
        for name in names
        if (name in found, found.get(name)) != (name in expected, expected.get(name))
    ]
    assert not other, f"{what}: {len(other)} of {len(names)} differ, the first is {other[0]}"


def dataset(trace: Any) -> xarray.Dataset:
    return trace.to_xarray().isel(replicate=0)


def agree(
    variable: str,
    found: xarray.Dataset,
    expected: xarray.Dataset,
    errors: xarray.DataArray | float = 0.0,
) -> None:
    """Hold a variable to the truth: NaN in the same cells, and elsewhere the same numbers."""
    assert variable in found, f"{variable} is absent"
    true = expected[variable]
    read = found[variable].sel(step=true.step, layer=true.layer).transpose(*true.dims)
    close = abs(read - true) <= TOLERANCE * abs(true) + errors
    wrong = ~(close | (read.isnull() & true.isnull()))
    places = np.argwhere(wrong.values)
    if len(places):
        cell = dict(zip(true.dims, places[0], strict=True))
        raise AssertionError(
            f"{variable}: {len(places)} of {wrong.size} cells are wrong; the first, layer "
            f"{true.layer.values[cell['layer']]} in step {true.step.values[cell['step']]}, "
            f"is {read.isel(cell).item():.8g} and should be {true.isel(cell).item():.8g}"
        )


def unchanged(found: xarray.Dataset, expected: xarray.Dataset) -> None:
    """Hold a trace to that of an equal run: every bit, but for time and drawn samples."""
    there, variables = ({*map(str, each)} - CLOCK_AND_CHANCE for each in (found, expected))
    assert there == variables, f"variables that one run alone has: {there ^ variables}"
    assert found.sizes == expected.sizes, f"{dict(found.sizes)}, not {dict(expected.sizes)}"
    for variable in sorted(variables):
        np.testing.assert_array_equal(
            found[variable].values, expected[variable].values, err_msg=variable
        )
