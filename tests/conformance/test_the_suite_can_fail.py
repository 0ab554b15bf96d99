"""Each promise, broken by a watch with one fault, is seen to be broken, and for that reason."""

from __future__ import annotations

import pytest

from tests.conformance import numpy_faults, numpy_world, promises, torch_world
from tests.conformance.architectures import CASES
from tests.conformance.faults import (
    CountsMicroBatches,
    DrawsRandomNumbers,
    Faulty,
    GuessesTheUpdate,
    HoldsAClosure,
    IsTooModest,
    LeavesAHook,
    NudgesAGradient,
    ReadsClippedGradients,
    ReadsDeltasOfInputs,
    ReadsEveryForwardPass,
    ReadsTheLastMicroBatch,
    RepeatsOldReadings,
    SumsInFloat32,
    SwallowsExceptions,
    TakesZeroForNothing,
    TogglesEvaluation,
)
from tests.conformance.promises import PROMISES, Promise

CASE = {case.name: case for case in CASES}

NUMPY_CASE = {case.name: case for case in numpy_world.CASES}

BROKEN = [
    (NudgesAGradient, "mlp", promises.training_is_bit_identical, "every=1: .* gradient.0.bias"),
    (
        DrawsRandomNumbers,
        "post_norm_transformer",
        promises.training_is_bit_identical,
        "every=1: .* differ",
    ),
    (DrawsRandomNumbers, "mlp", promises.random_numbers_are_untouched, "the first is torch"),
    (TogglesEvaluation, "mlp", promises.modes_are_untouched, "step 1: .* training"),
    (CountsMicroBatches, "used_twice", promises.one_row_an_update, r"(?s)steps \[ 1 .* 60\]"),
    (ReadsClippedGradients, "lstm", promises.gradients_are_true, "grad_norm: .* in step 1"),
    (ReadsTheLastMicroBatch, "used_twice", promises.gradients_are_true, "grad_norm: .* in step 1"),
    (SumsInFloat32, "sigmoid_stack", promises.gradients_are_true, "layer 0 in step 1, is 0 and"),
    (TakesZeroForNothing, "partly_frozen", promises.gradients_are_true, "is 0 and should be nan"),
    (ReadsDeltasOfInputs, "mlp", promises.deltas_are_true, "delta_norm: .* in step 1"),
    (GuessesTheUpdate, "mlp", promises.updates_are_true, "update_norm: .* layer 0 in step 2"),
    (IsTooModest, "mlp", promises.updates_are_true, "stated error is too wide"),
    (RepeatsOldReadings, "mlp", promises.sampling_changes_no_reading, "grad_norm"),
    (ReadsEveryForwardPass, "mlp", promises.an_evaluation_changes_no_reading, "input_rms"),
    (ReadsEveryForwardPass, "mlp", promises.copies_work_and_do_not_report, "input_rms"),
    (HoldsAClosure, "mlp", promises.copies_work_and_do_not_report, "pickle local object"),
    (LeavesAHook, "mlp", promises.hooks_go_on_close, "after close: .* _forward_pre_hooks"),
    (LeavesAHook, "mlp", promises.hooks_go_on_an_exception, "exception: .* _forward_pre_hooks"),
    (SwallowsExceptions, "mlp", promises.hooks_go_on_an_exception, "was swallowed"),
]


@pytest.mark.parametrize(
    ("fault", "case", "promise", "message"),
    BROKEN,
    ids=[f"{fault.__name__}-{promise.__name__}" for fault, _, promise, _ in BROKEN],
)
def test_a_fault_is_found(fault: type[Faulty], case: str, promise: Promise, message: str) -> None:
    with pytest.raises((AssertionError, AttributeError), match=message):
        promise(torch_world, fault, CASE[case])


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_without_a_fault_nothing_is_found(promise: Promise) -> None:
    promise(torch_world, Faulty, CASE["mlp"])
    promise(numpy_world, numpy_faults.Faulty, NUMPY_CASE["plain"])


def test_every_promise_is_broken_by_some_fault() -> None:
    assert {promise for _, _, promise, _ in BROKEN} == set(PROMISES)


BROKEN_IN_NUMPY = [
    (numpy_faults.NudgesAWeight, "plain", promises.training_is_bit_identical, "every=1: .* differ"),
    (numpy_faults.DrawsRandomNumbers, "plain", promises.random_numbers_are_untouched, "numpy"),
    (
        numpy_faults.SwitchesToEvaluation,
        "plain",
        promises.modes_are_untouched,
        "step 1: .*training",
    ),
    (
        numpy_faults.CountsPasses,
        "micro_batches",
        promises.one_row_an_update,
        r"(?s)steps \[ 1 .*90\]",
    ),
    (
        numpy_faults.ReadsClippedGradients,
        "clipped",
        promises.gradients_are_true,
        "grad_norm: .* hidden in step 1",
    ),
    (
        numpy_faults.KeepsTheLastDelta,
        "micro_batches",
        promises.deltas_are_true,
        "delta_norm: .* step 1",
    ),
    (numpy_faults.ForgetsTheMomentum, "plain", promises.updates_are_true, "update_norm: .* step 2"),
    (
        numpy_faults.ReadsOnceInAWhile,
        "plain",
        promises.sampling_changes_no_reading,
        "activation_rms",
    ),
    (
        numpy_faults.ReadsEveryForwardPass,
        "plain",
        promises.an_evaluation_changes_no_reading,
        "activation_rms",
    ),
    (numpy_faults.FollowsCopies, "plain", promises.copies_work_and_do_not_report, "activation_rms"),
    (
        numpy_faults.CannotBePickled,
        "plain",
        promises.copies_work_and_do_not_report,
        "pickle a meter",
    ),
    (numpy_faults.StaysOnTheNet, "plain", promises.hooks_go_on_close, "after close: .* observers"),
    (numpy_faults.StaysOnTheNet, "plain", promises.hooks_go_on_an_exception, "after an exception"),
    (numpy_faults.SwallowsExceptions, "plain", promises.hooks_go_on_an_exception, "was swallowed"),
]


@pytest.mark.parametrize(
    ("fault", "case", "promise", "message"),
    BROKEN_IN_NUMPY,
    ids=[f"{fault.__name__}-{promise.__name__}" for fault, _, promise, _ in BROKEN_IN_NUMPY],
)
def test_a_fault_of_the_numpy_meter_is_found(
    fault: type[numpy_faults.Faulty], case: str, promise: Promise, message: str
) -> None:
    with pytest.raises((AssertionError, TypeError), match=message):
        promise(numpy_world, fault, NUMPY_CASE[case])


def test_every_promise_is_broken_once_in_each_framework() -> None:
    assert {promise for _, _, promise, _ in BROKEN} == set(PROMISES)
    assert {promise for _, _, promise, _ in BROKEN_IN_NUMPY} == set(PROMISES)
