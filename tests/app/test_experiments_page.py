"""What the page of experiments reads, plans, trains and reports, without a browser."""

from __future__ import annotations

import pytest

import undertow as ut
from undertow.app.pages.experiments import progress, train_process, url
from undertow.app.pages.experiments.url import StudyRequest
from undertow.app.pages.kit.request import PageContext
from undertow.app.server import reports
from undertow.data.dataset import load
from undertow.errors import DataError, RunMissing, SpecError, UnknownName
from undertow.experiments import experiment
from undertow.studies import study

SMALL = StudyRequest("moons", replicates=2, epochs=2)


@pytest.fixture
def context(tmp_path):
    return PageContext(str(tmp_path / "runs.db"))


@pytest.mark.parametrize("chosen", [StudyRequest(), SMALL, StudyRequest("circles", seed=7)])
def test_an_address_comes_back(chosen):
    assert url.read_url(url.words(chosen)) == chosen


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        ({"study": "mons"}, UnknownName, "did you mean 'moons'?"),
        ({"replicates": "many"}, SpecError, "replicates=many in the address: a whole number"),
        ({"epochs": "-3"}, SpecError, "epochs=-3 in the address"),
        ({"seed": "1" * 30}, SpecError, "seed=1111"),
    ],
)
def test_an_address_that_cannot_be_is_one_line(words, error, said):
    with pytest.raises(error) as raised:
        url.read_url(words)
    assert said in str(raised.value)


def test_the_command_is_what_a_user_types():
    told = PageContext("a b.db", "/data sets")
    assert url.command_line(SMALL, told) == (
        "undertow run moons --replicates 2 --epochs 2 --store 'a b.db'"
    )
    # Data that are made take no folder; those that come as files do.
    assert url.command(StudyRequest("mnist-depth"), told) == (
        ["run", "mnist-depth", "--data", "/data sets", "--store", "a b.db"]
    )


def test_data_that_are_not_there_are_one_line(tmp_path):
    with pytest.raises(DataError):
        url.plan(StudyRequest("mnist-depth"), PageContext("runs.db", str(tmp_path)))


def test_progress_is_that_of_a_store_that_has_nothing_a_part_and_all(context):
    plan = url.plan(SMALL, context)
    names = [arm.name for arm in experiment("moons").arms]
    found = progress.progress(context.store, plan)
    assert [(arm.arm, arm.state, arm.share) for arm in found] == [
        (name, "not begun", 0.0) for name in names
    ]
    with ut.open(context.store, create=True) as store:
        study.run(plan.runs[:1], load("moons"), store, workers=1)
    found = progress.progress(context.store, plan)
    assert [arm.state for arm in found[:2]] == ["finished", "not begun"]
    assert [arm.share for arm in found[:2]] == [1.0, 0.0]
    other = url.plan(SMALL._replace(epochs=3), context)
    assert {arm.state for arm in progress.progress(context.store, other)} == {"not begun"}


def test_an_interrupted_arm_has_the_share_of_its_steps(context):
    plan = url.plan(StudyRequest("moons", replicates=20, epochs=4), context)
    epochs = 0

    class Enough(Exception):
        pass

    def stop(_):
        nonlocal epochs
        epochs += 1
        if epochs == 3:
            raise Enough

    with ut.open(context.store, create=True) as store, pytest.raises(Enough):
        study.run(plan.runs[:1], load("moons"), store, workers=1, progress=stop)
    (found, *_) = progress.progress(context.store, plan)
    assert found.state == "interrupted"
    assert 0 < found.share < 1


def test_steps_are_those_that_are_taken(context):
    plan = url.plan(SMALL, context)
    with ut.open(context.store, create=True) as store:
        (outcome,) = study.run(plan.runs[:1], load("moons"), store, workers=1)
    assert plan.steps[0] == int(outcome.trace.dataset["step"].values[-1])


def test_training_is_the_installed_program_and_is_begun_once(context):
    first = train_process.begin(SMALL, context)
    assert train_process.begin(SMALL, context) is first
    first.wait()
    assert first.status == 0
    assert any("moons: 10 arms x 2 networks" in line for line in first.said)
    arms = progress.progress(context.store, url.plan(SMALL, context))
    assert {arm.state for arm in arms} == {"finished"}
    assert train_process.last("moons", context) is first
    assert train_process.last("circles", context) is None


def test_what_goes_wrong_is_said(context):
    wrong = train_process.Training(SMALL, context._replace(store="/nowhere/runs.db"))
    wrong.wait()
    assert wrong.status == 2
    assert "/nowhere" in wrong.said[-1]


def test_stopping_keeps_what_is_done(context):
    long = StudyRequest("moons", replicates=100, epochs=400)
    begun = train_process.begin(long, context)
    plan = url.plan(long, context)
    while not any(arm.share for arm in progress.progress(context.store, plan)):
        assert begun.status is None
    begun.stop()
    begun.wait()
    assert begun.status in train_process.STOPPED
    states = {arm.state for arm in progress.progress(context.store, plan)}
    assert "running" not in states
    assert states & {"interrupted", "finished"}


def test_when_the_server_ends_every_training_does(context):
    begun = train_process.begin(StudyRequest("moons", replicates=100, epochs=400), context)
    train_process.stop_all()
    assert begun.status is not None


def test_a_report_is_made_of_runs_and_refused_in_one_line(context):
    plan = url.plan(SMALL, context)
    with ut.open(context.store, create=True) as store:
        runs = [each.run for each in study.run(plan.runs[:2], load("moons"), store, workers=1)]
    page = reports.page(runs, context.store)
    assert page.startswith("<!doctype html>")
    assert f"undertow report {' '.join(runs)}" in page
    with pytest.raises(RunMissing, match="no run named"):
        reports.page([], context.store)
    with pytest.raises(RunMissing, match="run 'nothing' is not in the store"):
        reports.page(["nothing"], context.store)
