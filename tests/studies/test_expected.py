"""What theory expects is kept with a run, compared with it, and drawn behind it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import undertow as ut
from undertow.data.dataset import load
from undertow.experiments import experiment
from undertow.show import summary_text
from undertow.show.figures.profile import THEORY_SAYS, profile
from undertow.spec.checked import with_changes
from undertow.studies import study, summary
from undertow.studies.expected import disagreement, predict_arm
from undertow.trace.record import Trace

MOONS, DATA = experiment("moons"), load("moons")
ARMS = ["sigmoid", "relu", "tanh", "sigmoid-batch-norm"]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[study.Outcome]:
    plan = study.plan(MOONS, DATA, arms=ARMS, replicates=60, epochs=1)
    path: Path = tmp_path_factory.mktemp("expected") / "runs.db"
    with ut.open(path, create=True) as store:
        study.run(plan, DATA, store)
        return study.run(plan, DATA, store)  # as read back


def test_a_run_keeps_what_theory_expects_and_bears_it_out(outcomes):
    for outcome in outcomes:
        off = disagreement(outcome.trace)
        assert off.shape == (11,)
        assert np.median(np.abs(off)) < 0.2


def test_this_comparison_can_fail(outcomes):
    trace = outcomes[0].trace
    theory = outcomes[1].trace.attributes["predicted"]
    wrong = Trace(trace.dataset.assign_attrs(predicted=theory), trace.events)
    assert np.abs(disagreement(wrong)).max() > 2


def test_root_mean_squares_are_compared(outcomes):
    for outcome in outcomes:
        norms = outcome.trace.dataset["grad_norm"].values[:, 0].astype(np.float64)
        theory = outcome.trace.attributes["predicted"]
        truth = np.log10(np.sqrt((norms**2).mean(0)) / theory["grad_norm"])
        np.testing.assert_allclose(disagreement(outcome.trace), truth, atol=1e-6)


def test_the_document_and_the_sentence(outcomes):
    runs = {outcome.arm: (outcome.run, outcome.trace) for outcome in outcomes}
    document = summary.document(MOONS, runs)
    sigmoid = document["arms"][0]["theory"]
    assert len(sigmoid["log10_grad_norm"]) == len(sigmoid["disagreement_dex"]) == 11
    assert sigmoid["log10_grad_norm"][0] == pytest.approx(-6.8, abs=0.4)
    worst = max(document["arms"], key=lambda arm: arm["theory"]["median_dex"])
    sentence = summary_text.theory(document)
    assert "median over 44 layers" in sentence
    assert (
        f"least right about {worst['name']} ({worst['theory']['median_dex']:.2f} dex)" in sentence
    )


def test_the_figure_draws_it_behind_step_1(outcomes):
    chart = profile({outcome.arm: outcome.trace for outcome in outcomes}).to_dict()
    assert THEORY_SAYS in str(chart)
    assert "is what theory expects of step 1" in " ".join(chart["title"]["subtitle"])


def test_a_run_without_it_is_as_it_was(outcomes):
    trace = outcomes[0].trace
    bare = Trace(trace.dataset.drop_attrs().assign_attrs(source="trained"), trace.events)
    assert disagreement(bare) is None
    assert THEORY_SAYS not in str(profile({"bare": bare}).to_dict())


def test_nothing_is_expected_where_theory_has_nothing_to_say():
    arm = MOONS.arm("sigmoid")
    assert predict_arm(with_changes(arm.network, gradient="unit"), arm.training, DATA) is None
    staged = with_changes(arm.training, stages=((2, 0), (10, 2)))
    assert predict_arm(arm.network, staged, DATA) is None
