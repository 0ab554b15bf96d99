"""An estimate scales with the work; how good it is, is for bench/ to say."""

from __future__ import annotations

import pytest

from undertow.data.dataset import load
from undertow.executors.jobs import Job, Part
from undertow.executors.processes import seconds_of
from undertow.experiments import experiment
from undertow.spec.checked import with_changes
from undertow.studies import estimate, study

MOONS, DATA = experiment("moons"), load("moons")


def jobs(epochs: int, arms: int = 1) -> list[Job]:
    (planned,) = study.plan(MOONS, DATA, arms=["relu"], replicates=2, epochs=epochs)
    network, training = planned.arm.network, planned.arm.training
    parts = [(Part(place, 0, network, (0, 1)),) for place in range(arms)]
    return [Job(part, training, "torch") for part in parts]


def test_short_work_has_no_estimate() -> None:
    assert estimate.seconds_left(jobs(2), DATA) is None
    assert estimate.seconds_left([], DATA) is None


def test_an_estimate_is_of_all_jobs_over_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "step_seconds", lambda *_: 0.5)
    work = jobs(4000, arms=3)
    assert seconds_of(work, DATA) > estimate.WORTH_TIMING
    assert estimate.seconds_left(work, DATA, 1) == pytest.approx(3 * 4000 * 7 * 0.5)
    assert estimate.seconds_left(work, DATA, 3) == pytest.approx(4000 * 7 * 0.5)


def test_a_step_too_short_to_be_timed_gives_no_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "step_seconds", lambda *_: 0.0)
    assert estimate.seconds_left(jobs(4000), DATA, 1) is None


def test_each_kind_of_network_is_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = []
    monkeypatch.setattr(estimate, "step_seconds", lambda job, _: timed.append(job) or 0.1)
    first = jobs(9000)[0]
    other, deeper = (
        first._replace(
            parts=(first.parts[0]._replace(network=with_changes(first.network, **change)),)
        )
        for change in ({"initialisation": "he_normal"}, {"depth": 3})
    )
    estimate.seconds_left([first, other, deeper], DATA, 1)
    assert [job.network.depth for job in timed] == [10, 3]


def test_a_step_is_timed_for_real() -> None:
    assert 0 <= estimate.step_seconds(jobs(1)[0], DATA) < 10


def test_stages_count_as_many_times() -> None:
    (job,) = jobs(3)
    grown = job._replace(training=with_changes(job.training, stages=((2, 0), (10, 2))))
    assert grown.steps(DATA) == 2 * job.steps(DATA) == 2 * 3 * 7
