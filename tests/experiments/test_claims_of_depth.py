"""Verdicts on depth, normalisation and the remedies turn with the numbers they are given."""

from __future__ import annotations

import numpy as np
import pytest

from tests.experiments.made_traces import R, made, verdict
from undertow.experiments.claims import (
    c05_relu_explodes,
    c07_batch_norm,
    c08_small_derivatives,
    c09_weights_near_zero,
    c10_layer_wise,
    c11_gradient_norm,
    c14_exponential,
    c14_outer_layers,
    c15_adam,
)
from undertow.studies.experiment import judge
from undertow.trace import readings


@pytest.mark.parametrize(
    ("glorot", "he", "above", "expected"),
    [
        (-2.9, 0.0, 3.3, "depends"),
        (-2.9, 0.0, 1.9, "contradicted"),
        (2.1, 2.5, 3.3, "supported"),
    ],
)
def test_relu_explodes(glorot: float, he: float, above: float, expected: str):
    arms = {
        "relu_20": made(20, total_dex=glorot),
        "relu_20_he": made(20, total_dex=he),
        "relu_20_above_he": made(20, total_dex=above),
    }
    assert verdict(c05_relu_explodes.CLAIM, **arms) == expected


@pytest.mark.parametrize(
    ("plain", "normed", "skip", "both", "expected"),
    [
        (-0.3, 4.5, 10.6, 2.9, "depends"),
        (-5.9, 0.4, 10.6, 2.9, "supported"),
        (-0.3, 4.5, 1.0, 2.9, "contradicted"),
    ],
)
def test_batch_norm(plain: float, normed: float, skip: float, both: float, expected: str):
    claim = c07_batch_norm.claim(
        ("without skips", "plain", "normed"), ("with skips", "skip", "both"), growth_of="normed"
    )
    arms = {
        name: made(50, total_dex=dex, seed=place)
        for place, (name, dex) in enumerate(
            {"plain": plain, "normed": normed, "skip": skip, "both": both}.items()
        )
    }
    found = judge(claim, arms)
    assert found.verdict == expected
    assert (
        f"is multiplied by {10 ** (normed / 49):.3f} a layer; theory says 1.211" in found.evidence
    )


@pytest.mark.parametrize(("zero", "expected"), [(0.5, "contradicted"), (0.01, "supported")])
def test_small_derivatives(zero: float, expected: str):
    relu = made(saturated=zero, slope=np.sqrt(1 - zero))
    assert verdict(c08_small_derivatives.CLAIM, relu=relu) == expected


@pytest.mark.parametrize(
    ("growth", "expected"), [(1.0, "contradicted"), (0.5, "supported"), (2.0, "contradicted")]
)
def test_weights_near_zero(growth: float, expected: str):
    found = judge(c09_weights_near_zero.CLAIM, {"baseline": made(weight_growth=growth)})
    assert found.verdict == expected
    said = {1.0: "as they were drawn", 0.5: "moved towards zero", 2.0: "moved away from zero"}
    assert said[growth] in found.evidence


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(0.68, 0.43, "depends"), (0.4, 0.8, "supported"), (0.09, 0.05, "contradicted")],
)
def test_layer_wise(first: float, last: float, expected: str):
    grown, baseline = made(stage_accuracies=(first, last)), made(accuracy=0.1, seed=1)
    found = judge(c10_layer_wise.CLAIM, {"layer-wise": grown, "baseline": baseline})
    assert found.verdict == expected
    ends = [np.median(end) for end in readings.stage_ends(grown, "test_accuracy")]
    assert f"{ends[0]:.3f} -> {ends[1]:.3f} (published: 0.6793 -> 0.5734" in found.evidence


def test_stage_ends_are_the_last_steps_of_each():
    grown = made(stage_accuracies=(0.3, 0.6))
    ends = readings.stage_ends(grown, "test_accuracy")
    assert [end.shape for end in ends] == [(R,), (R,)]
    assert np.median(ends[0]) == pytest.approx(0.3, rel=0.02)
    assert np.median(ends[1]) == pytest.approx(0.6, rel=0.02)


@pytest.mark.parametrize(
    ("published", "level", "expected"),
    [(R, 0, "depends"), (0, 0, "supported"), (R, R, "contradicted"), (R // 2, 0, "not tested")],
)
def test_gradient_norm(published: int, level: int, expected: str):
    arms = {
        "baseline": made(),
        "gradient_norm": made(stuck=published),
        "gradient_unit": made(stuck=level),
    }
    assert verdict(c11_gradient_norm.CLAIM, **arms) == expected


LAYERS = np.arange(1.0, 21)
EXPONENTIAL, POWER = 0.6 * (LAYERS - 20), 0.5 * np.log10(LAYERS / 20)


@pytest.mark.parametrize(
    ("sigmoid", "tanh", "expected"),
    [
        (EXPONENTIAL, POWER, "depends"),
        (EXPONENTIAL, EXPONENTIAL, "supported"),
        (POWER, POWER, "contradicted"),
        (-EXPONENTIAL, -EXPONENTIAL, "contradicted"),  # it grows
    ],
)
def test_exponential(sigmoid: np.ndarray, tanh: np.ndarray, expected: str):
    arms = {"sigmoid_20": made(20, log_deltas=sigmoid), "tanh_20": made(20, log_deltas=tanh)}
    assert verdict(c14_exponential.CLAIM, **arms) == expected


def test_one_silent_network_spoils_no_others_fit():
    norms = np.stack([10.0**EXPONENTIAL, 10.0**EXPONENTIAL])
    norms[0, 0] = 0.0
    found = c14_exponential.misfit(LAYERS, norms)
    assert not np.isfinite(found[0])
    assert found[1] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("sgd", "adam", "expected"),
    [(1e-4, 0.9, "depends"), (1e-4, 1e-3, "supported"), (0.8, 0.9, "contradicted")],
)
def test_outer_layers(sgd: float, adam: float, expected: str):
    arms = {
        name: made(4, moved=np.array([first, 0.3, 0.6, 1.0, 1.0]), seed=place)
        for place, (name, first) in enumerate({"baseline": sgd, "adam_only": adam}.items())
    }
    assert verdict(c14_outer_layers.CLAIM, **arms) == expected


@pytest.mark.parametrize(
    ("sgd", "adam", "expected"),
    [(0.1, 0.8, "supported"), (0.8, 0.1, "contradicted")],
)
def test_adam(sgd: float, adam: float, expected: str):
    arms = {"baseline": made(accuracy=sgd, seed=1), "adam-only": made(accuracy=adam, seed=1)}
    found = judge(c15_adam.CLAIM, arms)
    assert found.verdict == expected
    assert "The gradients of the first step are the same" in found.evidence
    cures = "Adam cures the step, not the gradient"
    assert (cures in found.evidence) == (expected == "supported")
    arms["adam-only"] = made(accuracy=adam, gradient=1e-2)
    assert "are the same" not in judge(c15_adam.CLAIM, arms).evidence
