"""Trials: the first step is the training's own, stopping stops, a table is read or refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.data.dataset import load
from undertow.data.toy import make_samples, read_table
from undertow.errors import DataError, SpecError, UnknownName
from undertow.experiments.presets import PRESETS, preset
from undertow.explanation.budget import budget
from undertow.remedies.on_trial import ON_TRIAL, applies_to_trial, apply_to_trial
from undertow.spec.network import NetworkSpec
from undertow.spec.toy import ToySpec
from undertow.spec.training import TrainingSpec
from undertow.spec.trial import Trial
from undertow.studies.trial import TrialStopped, first_step, train_trial
from undertow.trace.gradient_path import from_artefacts


def small(**changes):
    network = NetworkSpec(inputs=2, outputs=1, depth=4, width=6, activation="tanh")
    training = TrainingSpec(optimizer="sgd", learning_rate=0.1, epochs=3)
    return Trial(**({"network": network, "training": training, "replicates": 3} | changes))


@pytest.mark.parametrize("each", PRESETS, ids=lambda each: each.name)
def test_the_first_step_is_bit_for_bit_that_of_the_training(each):
    data = make_samples(each.trial.data)
    once, whole = first_step(each.trial, data), train_trial(each.trial, data)
    for name in ("grad_norm", "delta_norm", "update_norm", "loss"):
        first = once.dataset[name].values[:, 0]
        assert np.array_equal(first, whole.dataset[name].values[:, 0], equal_nan=True), name
    assert once.dataset.sizes["step"] == 1
    assert np.array_equal(
        once.artefacts["gradient_path"], whole.artefacts["gradient_path"], equal_nan=True
    )


def test_pictures_on_the_way_are_beginnings_of_the_whole():
    pictures = []
    trial = small()
    whole = train_trial(
        trial, make_samples(trial.data), lambda epoch, make: pictures.append((epoch, make()))
    )
    assert [epoch for epoch, _ in pictures] == [1, 2, 3]
    for epoch, picture in pictures:
        steps = picture.dataset.sizes["step"]
        assert steps == epoch * 7
        beginning = whole.dataset["grad_norm"].values[:, :steps]
        assert np.array_equal(picture.dataset["grad_norm"].values, beginning)
        assert picture.artefacts["decision_grid"].shape == (3, 60, 60)
    last = pictures[-1][1].artefacts["decision_grid"]
    assert np.array_equal(last, whole.artefacts["decision_grid"])
    assert not np.array_equal(pictures[0][1].artefacts["decision_grid"], last)


def test_stopping_stops_before_the_next_steps():
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > 2

    trial = small()
    with pytest.raises(TrialStopped):
        train_trial(trial, make_samples(trial.data), stop=stop)
    assert len(asked) == 3


def test_a_first_step_holds_a_budget_that_closes():
    trial = preset("silence").trial
    way = from_artefacts(first_step(trial, make_samples(trial.data)).artefacts)
    assert way is not None
    found = budget(way).document()
    assert found["terms"]["ceiling"] == pytest.approx(-9 * np.log10(4), abs=1e-6)
    assert abs(found["closure_error"]) < 1e-5


def test_the_default_moons_are_those_of_the_experiment():
    ours, theirs = make_samples(ToySpec()), load("moons")
    assert np.array_equal(ours.train_inputs, theirs.train_inputs)
    assert np.array_equal(ours.test_targets, theirs.test_targets)


@given(
    shape=st.sampled_from(["moons", "circles", "blobs"]),
    samples=st.integers(20, 400),
    scale=st.sampled_from([0.01, 1.0, 100.0]),
    offset=st.sampled_from([-10.0, 0.0, 3.0]),
)
@settings(max_examples=25, deadline=None)
def test_standardised_data_have_the_mean_and_deviation_asked_for(shape, samples, scale, offset):
    spec = ToySpec(
        shape=shape, samples=samples, noise=0.1, standardised=True, scale=scale, offset=offset
    )
    data = make_samples(spec)
    assert np.allclose(data.train_inputs.mean(0), offset, atol=1e-3 * max(scale, 1))
    assert np.allclose(data.train_inputs.std(0), scale, rtol=1e-3, atol=1e-3 * abs(offset) * 1e-3)
    assert len(data.train_targets) + len(data.test_targets) == samples


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the table has 0 samples: 20 to 5,000 are allowed"),
        ("1,2,a\n" * 19, "the table has 19 samples"),
        ("1,2\n" * 30, "line 1 of the table has 2 columns"),
        ("x,y,l\n" + "1,2,a\n" * 20 + "1,b,a\n", "line 22 of the table begins with '1', 'b'"),
        ("1,2,a\n" * 30, "the table has 1 labels: exactly 2 are expected"),
        ("1,2,a\n" * 30 + "1,2,b\n", "fewer than 5 samples"),
        ("1,nan,a\n" + "1,2,b\n" * 30, "line 1"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_by_its_line(text, said):
    with pytest.raises(DataError) as caught:
        read_table(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_tables_come_with_any_usual_separator(between):
    lines = [between.join(["0.5", "1.5", "yes" if place % 3 else "no"]) for place in range(30)]
    inputs, targets = read_table("\r\n".join(lines))
    assert inputs.shape == (30, 2)
    assert targets.sum() == 20


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shape": "moon"}, "did you mean 'moons'"),
        ({"samples": 3}, "samples = 3"),
        ({"noise": -1}, "noise = -1"),
        ({"scale": 0}, "scale = 0"),
    ],
)
def test_a_data_set_that_cannot_be_is_one_line(changes, said):
    with pytest.raises(SpecError) as caught:
        ToySpec(**changes)
    assert said in str(caught.value)


def test_too_many_seeds_are_refused():
    with pytest.raises(SpecError, match="replicates = 65"):
        small(replicates=65)


@pytest.mark.parametrize("remedy", ON_TRIAL)
def test_a_treatment_changes_the_trial_and_keeps_seeds_and_samples(remedy):
    trial = small(data=ToySpec(scale=100.0), training=TrainingSpec(epochs=3, batch_size=4))
    after = apply_to_trial(remedy, trial)
    assert after != trial
    assert after.seeds == trial.seeds
    assert (after.data.shape, after.data.seed) == (trial.data.shape, trial.data.seed)
    assert applies_to_trial(remedy, trial)
    assert apply_to_trial(remedy, after).network == after.network or remedy == "wider"


def test_what_cannot_be_applied_says_what_can():
    with pytest.raises(SpecError, match="remedy 'reattach' cannot be applied here: batch-norm"):
        apply_to_trial("reattach", small())
    assert not applies_to_trial("standardise-inputs", small(data=ToySpec(standardised=True)))


def test_an_unknown_shape_is_an_unknown_name():
    with pytest.raises(UnknownName):
        ToySpec(shape="spiral")
