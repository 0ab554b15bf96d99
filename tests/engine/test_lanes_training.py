"""Whole trainings in lanes: the PyTorch engine's numbers, and each replicate's own bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.engine.plain_torch import Trained, engine_training, three_classes
from undertow.data.dataset import Data, load
from undertow.engine import choice
from undertow.engine.common.threads import torch_threads
from undertow.engine.lanes import native_library, supports, train
from undertow.errors import SpecError, UnknownName
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.record import Chunk

MOONS, THREE = load("moons"), three_classes()
NET = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="tanh")
SGD = TrainingSpec(optimizer="sgd", learning_rate=0.05, epochs=9)  # 63 steps
CLASSES = with_changes(SGD, loss="cross_entropy", batch_size=13)
SEEDS = list(range(11))  # whole blocks, and three that fill up another
ARMS = {
    "tanh": (NET, SGD, MOONS),
    "sigmoid": (with_changes(NET, activation="sigmoid"), SGD, MOONS),
    "relu": (with_changes(NET, activation="relu"), SGD, MOONS),
    "momentum": (NET, with_changes(SGD, momentum=0.9, learning_rate=5e-3), MOONS),
    "clipped": (with_changes(NET, gain=2.0), with_changes(SGD, clip=0.05), MOONS),
    "unit": (with_changes(NET, gradient="unit"), with_changes(SGD, learning_rate=1e-3), MOONS),
    "standardised": (
        with_changes(NET, gradient="standardised"),
        with_changes(SGD, learning_rate=1e-4),
        MOONS,
    ),
    "skips": (with_changes(NET, skips="identity", branch_scale=0.3), SGD, MOONS),
    "batch norm": (with_changes(NET, depth=3, normalisation="batch"), SGD, MOONS),
    "classes": (with_changes(NET, depth=4, width=33, inputs=5, outputs=3), CLASSES, THREE),
    "stages": (
        with_changes(NET, depth=4),
        with_changes(SGD, stages=((2, 0), (4, 2)), epochs=5),
        MOONS,
    ),
}


@pytest.mark.parametrize("arm", ARMS.values(), ids=ARMS)
@pytest.mark.usefixtures("instruction_set")
def test_sixty_steps_end_at_the_same_parameters(arm) -> None:
    spec, how, data = arm
    found, expected = (engine_training(spec, how, data, SEEDS, engine=e) for e in choice.VERSIONS)
    assert found.arrays["loss"].shape[1] > 60
    for ours, theirs in zip(found.parameters.leaves, expected.parameters.leaves, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    for name, array in expected.arrays.items():
        np.testing.assert_allclose(found.arrays[name], array, rtol=1e-2, atol=1e-4, err_msg=name)


def test_that_comparison_can_fail() -> None:
    found = engine_training(NET, SGD, MOONS, SEEDS, engine="lanes")
    other = with_changes(SGD, learning_rate=0.0501)
    expected = engine_training(NET, other, MOONS, SEEDS, engine="torch")
    with pytest.raises(AssertionError):
        torch.testing.assert_close(
            found.parameters.flat, expected.parameters.flat, atol=1e-5, rtol=0
        )


def trained(spec: NetworkSpec, how: TrainingSpec, data: Data, seeds, name: str, **more):
    chunks: list[Chunk] = []
    return chunks, choice.train(spec, how, data, seeds, chunks.append, engine=name, **more)


@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("arm", ["tanh", "classes", "stages"])
def test_a_reader_notices_no_difference(arm: str, every: int) -> None:
    spec, how, data = ARMS[arm]
    (ours, found), (theirs, expected) = (
        trained(spec, how, data, SEEDS, name, every=every) for name in ("lanes", "torch")
    )
    for one, other in zip(ours, theirs, strict=True):
        assert np.array_equal(one.steps, other.steps)
        assert np.array_equal(one.epochs, other.epochs)
        assert kinds(one.arrays) == kinds(other.arrays)
    assert kinds(found) == kinds(expected)
    for name in {
        "gradient_path",
        "gradient_path_plan",
        "data_inputs",
        "decision_extent",
    } & found.keys():
        assert np.array_equal(found[name], expected[name], equal_nan=name == "gradient_path"), name
    found_in, expected_in = (
        choice.header(spec, how, data, SEEDS, engine=name).attributes for name in ("lanes", "torch")
    )
    different = {key for key in expected_in if found_in[key] != expected_in[key]}
    assert different - {"created"} == {"engine"}


def kinds(arrays) -> dict[str, tuple[object, ...]]:
    return {name: (array.shape, array.dtype) for name, array in arrays.items()}


def bits(trained: Trained, place: int) -> list[np.ndarray]:
    leaves = [leaf[place].numpy() for leaf in trained.parameters.leaves]
    return [*leaves, *(array[place] for array in trained.arrays.values())]


@pytest.mark.parametrize("arm", ["relu", "batch norm", "classes", "clipped"])
@pytest.mark.usefixtures("instruction_set")
def test_a_replicate_has_its_own_bits(arm: str) -> None:
    """Whatever its neighbours, block, lane and thread, and however many steps a call takes."""
    spec, how, data = ARMS[arm]
    how = with_changes(how, epochs=4)
    alone = engine_training(spec, how, data, [7], engine="lanes")
    among = engine_training(spec, how, data, [*range(20, 29), 7, 3], engine="lanes")
    with torch_threads(3):
        threads = engine_training(spec, how, data, [*range(40), 7], engine="lanes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "A_CALL", 1.0)
        in_steps = engine_training(spec, how, data, [3, 7], engine="lanes")
    for others, place in ((among, 9), (threads, 40), (threads, 7), (in_steps, 1)):
        for ours, theirs in zip(bits(alone, 0), bits(others, place), strict=True):
            assert np.array_equal(ours, theirs, equal_nan=True)
    assert not np.array_equal(bits(alone, 0)[0], bits(among, 0)[0])


@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("arm", ["batch norm", "classes", "stages"])
def test_no_chunk_knows_how_many_epochs_its_call_took(
    arm: str, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = trained(*ARMS[arm], SEEDS, "lanes", every=every)
    singly = trained(*ARMS[arm], SEEDS, "lanes", every=every, after_epoch=lambda _: None)
    monkeypatch.setattr(train, "A_CALL", 3e5)  # some steps of an epoch
    in_pieces = trained(*ARMS[arm], SEEDS, "lanes", every=every)
    for chunks, artefacts in (singly, in_pieces):
        for one, other in zip(together[0], chunks, strict=True):
            assert np.array_equal(one.steps, other.steps)
            assert np.array_equal(one.epochs, other.epochs)
            for name, array in one.arrays.items():
                assert np.array_equal(array, other.arrays[name], equal_nan=True), name
        for name, array in together[1].items():
            assert np.array_equal(array, artefacts[name], equal_nan=True), name


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "elu", "gelu", "hard_tanh"])
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.usefixtures("instruction_set")
def test_what_is_not_finite_spreads_as_in_torch(activation: str, poison: float) -> None:
    """One sample is poisoned; the step that meets it is the first that is not finite."""
    spec = with_changes(NET, depth=3, activation=activation)
    assert_not_finite_alike(*(poisoned(spec, poison, 17, name) for name in ("lanes", "torch")))


def test_that_comparison_sees_a_step_too_early_and_another_kind() -> None:
    spec = with_changes(NET, depth=3, activation="relu")
    inf = poisoned(spec, np.inf, 17, "lanes")
    for other in (poisoned(spec, np.inf, 18, "torch"), poisoned(spec, np.nan, 17, "torch")):
        with pytest.raises(AssertionError):
            assert_not_finite_alike(inf, other)


def poisoned(spec: NetworkSpec, poison: float, sample: int, name: str) -> list[Chunk]:
    inputs = MOONS.train_inputs.copy()
    inputs[sample, 1] = poison
    data = replace(MOONS, train_inputs=inputs)
    return trained(spec, with_changes(SGD, epochs=2), data, SEEDS, name)[0]


def assert_not_finite_alike(ours: list[Chunk], theirs: list[Chunk]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        for name in ("nonfinite", "grad_norm", "weight_norm", "delta_norm", "loss"):
            found, expected = one.arrays[name], other.arrays[name]
            assert np.array_equal(np.isfinite(found), np.isfinite(expected)), name
            assert np.array_equal(np.isnan(found), np.isnan(expected)), name
        assert np.array_equal(one.arrays["nonfinite"], other.arrays["nonfinite"])


@pytest.mark.parametrize(("activation", "gain"), [("sigmoid", 1.0), ("linear", 1e3)])
@pytest.mark.usefixtures("instruction_set")
def test_norms_hold_over_forty_decades(activation: str, gain: float) -> None:
    spec = with_changes(NET, depth=36 if gain == 1.0 else 8, activation=activation, gain=gain)
    how = with_changes(SGD, epochs=1, learning_rate=1e-30)
    found = trained(spec, how, MOONS, SEEDS, "lanes")[0][0].arrays
    expected: list[Chunk] = []
    choice.train(spec, how, MOONS, SEEDS, expected.append, dtype=torch.float64)
    for name in ("grad_norm", "delta_norm", "preactivation_rms"):
        true = expected[0].arrays[name][:, 0]
        assert name == "preactivation_rms" or true.min() < 1e-23 or true.max() > 1e19
        np.testing.assert_allclose(found[name][:, 0], true, rtol=1e-4)
    # What a float's own squares would have given is far off: the test can fail.
    true = expected[0].arrays["grad_norm"][:, 0].astype(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        squares = true * true
    assert not np.allclose(np.sqrt(squares), true, rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"width": 300}, "engine lanes: width 300: at most 128; or type  --engine torch"),
        ({"depth": 200}, "engine lanes: depth 200: at most 128; or type  --engine torch"),
    ],
)
def test_what_lanes_do_not_train_is_said(wrong, said: str) -> None:
    with pytest.raises(SpecError) as error:
        choice.choose_engine(with_changes(NET, **wrong), 8, "lanes")
    assert str(error.value) == said
    assert choice.choose_engine(with_changes(NET, **wrong), 8) == "torch"


def test_a_few_large_networks_leave_lanes_idle_and_go_to_torch() -> None:
    large = with_changes(NET, width=128)
    assert [choice.choose_engine(large, replicates) for replicates in (1, 4, 5)] == [
        "torch"
    ] * 2 + ["lanes"]
    assert choice.choose_engine(large, 1, "lanes") == "lanes"
    assert choice.choose_engine(NET, 1) == "lanes"


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UnknownName, match="engine 'lane'"):
        choice.choose_engine(NET, 8, "lane")


def test_without_a_library_torch_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supports, "library", lambda: None)
    monkeypatch.setattr(native_library, "load", lambda _: None)
    assert choice.choose_engine(NET, 8) == "torch"
    with pytest.raises(SpecError, match="install undertow again where there is a C"):
        choice.choose_engine(NET, 8, "lanes")


@pytest.mark.parametrize(
    "wrong",
    [
        {"train_inputs": MOONS.train_inputs[:-1]},
        {"train_targets": MOONS.train_targets + 1},
        {"train_targets": MOONS.train_targets - 1},
    ],
    ids=["too few samples", "a class too many", "a class below 0"],
)
def test_data_that_do_not_fit_are_refused(wrong) -> None:
    with pytest.raises(IndexError, match="out of range"):
        trained(NET, SGD, replace(MOONS, **wrong), SEEDS, "lanes")
