"""Verdicts follow from the runs: the same claim turns with the numbers it is given."""

from __future__ import annotations

import numpy as np
import pytest

from tests.experiments.made_traces import made, verdict
from undertow.experiments import experiment, names
from undertow.experiments.claims import (
    c01_weight_change,
    c02_printed_change,
    c03_change_is_gradient,
    c04_sigmoid_or_tanh,
    c06_shallow,
    c12_outer_edges,
    c13_leaky,
)
from undertow.studies.experiment import Claim, judge
from undertow.trace.record import Trace


@pytest.mark.parametrize(
    ("adam", "sgd", "expected"),
    [
        ((60, 55), (0.1, 80), "depends"),
        ((1, 55), (0.1, 80), "supported"),
        ((60, 5), (80, 8), "contradicted"),
    ],
)
def test_weight_change(adam: tuple[float, float], sgd: tuple[float, float], expected: str):
    arms = {
        "sigmoid": made(percent=adam[0], seed=1),
        "relu": made(percent=adam[1], seed=2),
        "sigmoid_sgd": made(percent=sgd[0], seed=3),
        "relu_sgd": made(percent=sgd[1], seed=4),
    }
    assert verdict(c01_weight_change.CLAIM, **arms) == expected


def test_weight_change_says_that_adam_misleads_only_where_it_does():
    arms = {name: made(percent=1.0) for name in ("sigmoid", "sigmoid-sgd")}
    arms |= {name: made(percent=50.0) for name in ("relu", "relu-sgd")}
    assert "Adam divides" not in judge(c01_weight_change.CLAIM, arms).evidence
    arms["relu"] = made(percent=0.5)
    assert "Adam divides" in judge(c01_weight_change.CLAIM, arms).evidence


@pytest.mark.parametrize(
    ("adam_ratio", "whole", "expected"),
    [(1800.0, 5.0, "depends"), (1.0, 1.0, "supported")],
)
def test_change_is_gradient(adam_ratio: float, whole: float, expected: str):
    absolute = 1e-3 * 1e-3 / 10 * whole
    arms = {
        "relu": made(step_ratio=adam_ratio, absolute=absolute),
        "relu_sgd": made(absolute=absolute),
    }
    # The spread of 1 % is common to numerator and denominator, so the ratios are exact.
    assert verdict(c03_change_is_gradient.CLAIM, **arms) == expected


@pytest.mark.parametrize(
    ("sigmoid", "tanh", "expected"),
    [(-5.9, -0.5, "depends"), (-5.9, -4.0, "supported"), (-0.9, -0.5, "contradicted")],
)
def test_sigmoid_or_tanh(sigmoid: float, tanh: float, expected: str):
    arms = {"sigmoid": made(total_dex=sigmoid), "tanh": made(total_dex=tanh)}
    assert verdict(c04_sigmoid_or_tanh.CLAIM, **arms) == expected


def test_shallow():
    deep, shallow = made(total_dex=-5.9), made(2, total_dex=-0.65)
    claim = c06_shallow.claim("sigmoid", "sigmoid-shallow")
    assert verdict(claim, sigmoid=deep, sigmoid_shallow=shallow) == "supported"
    assert verdict(claim, sigmoid=shallow, sigmoid_shallow=deep) == "contradicted"
    arms = {"sigmoid": deep, "sigmoid-shallow": shallow}
    assert "depth multiplies it" in judge(claim, arms).evidence
    arms["sigmoid-shallow"] = made(2, total_dex=-0.1)
    assert "depth multiplies it" not in judge(claim, arms).evidence


def test_outer_edges():
    plain = made(saturated=0.0, preactivation=0.5)
    wide = made(saturated=0.6, preactivation=8.0, slope=0.02)
    normalised = made(preactivation=1.0)
    claim = c12_outer_edges.CLAIM
    assert verdict(claim, sigmoid=plain, sigmoid_batch_norm=normalised) == "contradicted"
    assert verdict(claim, sigmoid=wide, sigmoid_batch_norm=normalised) == "supported"


@pytest.mark.parametrize("claim", experiment("moons").claims, ids=lambda claim: str(claim.number))
def test_one_replicate_never_contradicts_what_its_numbers_show(claim: Claim):
    arms = {
        name: Trace(trace.dataset.isel(replicate=[0]), (), one_replicate(trace))
        for name, trace in ((name, made(total_dex=-5.0)) for name in claim.needs)
    }
    found = judge(claim, arms)
    if claim.number in (1, 4, 6, 13):
        assert found.verdict == "not tested"
        assert "Too few replicates to decide" in found.evidence


def one_replicate(trace: Trace) -> dict[str, np.ndarray]:
    return {name: array[:, :1] for name, array in trace.artefacts.items()}


def test_leaky():
    arms = {
        "relu": made(dead=0.2),
        "leaky_relu": made(),
        "relu_large_step": made(dead=0.8, stuck=10),
        "leaky_relu_large_step": made(stuck=10),
    }
    assert verdict(c13_leaky.CLAIM, **arms) == "depends"
    arms["leaky_relu_large_step"] = made()
    assert verdict(c13_leaky.CLAIM, **arms) == "supported"


def test_the_printed_change_does_not_follow_from_the_printed_weights(
    monkeypatch: pytest.MonkeyPatch,
):
    arms = {"sigmoid": made(epoch_change=0.002), "relu": made(epoch_change=0.005)}
    found = judge(c02_printed_change.CLAIM, arms)
    assert found.verdict == "contradicted"
    assert "sigmoid 0.002, ReLU 0.005" in found.evidence
    right = np.array(c02_printed_change.AFTER) - np.array(c02_printed_change.BEFORE)
    monkeypatch.setattr(c02_printed_change, "PRINTED", tuple(right))
    assert judge(c02_printed_change.CLAIM, arms).verdict == "supported"


@pytest.mark.parametrize("name", names())
def test_a_claim_without_its_arms_is_not_tested_and_names_them(name: str):
    for claim in experiment(name).claims:
        present = {arm: made() for arm in claim.needs[:1] if len(claim.needs) > 1}
        found = judge(claim, present)
        assert found.verdict == "not tested"
        assert all(arm in found.evidence for arm in claim.needs if arm not in present)


@pytest.mark.parametrize("name", names())
def test_every_claim_is_another_one(name: str):
    texts = [claim.text for claim in experiment(name).claims]
    assert len(set(texts)) == len(texts)


def test_all_fifteen_published_claims_are_judged_somewhere():
    numbers = {claim.number for name in names() for claim in experiment(name).claims}
    assert numbers == set(range(1, 16))


def test_claims_need_arms_that_their_experiment_has():
    for name in names():
        arms = {arm.name for arm in experiment(name).arms}
        for claim in experiment(name).claims:
            assert set(claim.needs) <= arms
