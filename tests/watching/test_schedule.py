"""The schedule keeps the mean cost under the budget, and the run under its size limit."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.watching.core.schedule import FIRST, NEVER, Schedule


def played(
    schedule: Schedule, steps: int, *, bare: float = 1.0, cost: float = 0.0, size: int = 0
) -> list[int]:
    """Play a training of equal steps; return the steps that are recorded."""
    recorded, due, kept = [], 1, 0
    for step in range(1, steps + 1):
        now = step >= due
        kept += size * now
        if now:
            recorded.append(step)
        own = cost if now else 0.0
        schedule.took(step, bare + own, own, recorded=now, size=kept)
        due = schedule.next(step)
    return recorded


@settings(deadline=None)
@given(
    st.floats(0.001, 20.0),
    st.floats(0.005, 0.5),
)
def test_the_mean_cost_comes_down_to_the_budget_and_stays(cost: float, budget: float):
    schedule = Schedule("auto", budget)
    # The first steps' cost is paid back with half the budget.
    enough = int(2 * FIRST * max(cost, 1) / budget) + 100
    recorded = played(schedule, enough, cost=cost)
    assert recorded[:FIRST] == list(range(1, FIRST + 1))
    assert schedule.share <= budget + cost / enough


def test_the_budget_is_used():
    schedule = Schedule("auto", 0.02)
    recorded = played(schedule, 10_000, cost=0.1)
    assert 0.018 < schedule.share <= 0.02
    assert len(recorded) == pytest.approx(2000, rel=0.1)


def test_recording_that_costs_nothing_records_all():
    assert played(Schedule("auto", 0.02), 50, cost=1e-6) == list(range(1, 51))


@given(st.integers(1, 40))
def test_a_fixed_interval(every: int):
    found = played(Schedule(every, 0.02), 200, cost=5.0)
    assert found == [step for step in range(1, 201) if step <= FIRST or step % every == 0]


def test_an_anomaly_is_looked_at_closely_once_in_a_while():
    schedule = Schedule(1000, 0.02)
    played(schedule, 100)
    schedule.alarm(100, severe=False)
    assert [schedule.next(step) for step in (100, 105, 109, 110)] == [101, 106, 110, 1000]
    schedule.alarm(150, severe=False)
    assert schedule.next(150) == 1000
    schedule.alarm(150, severe=True)
    assert schedule.next(150) == 151


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 50), st.integers(100, 50_000))
def test_the_size_limit_is_never_passed(every: int, size: int):
    limit = 1_000_000
    recorded = played(Schedule(every, 0.02, limit), 20_000, size=size)
    assert len(recorded) * size <= limit + size


def test_past_half_the_limit_the_interval_doubles_as_the_run_does():
    schedule = Schedule(1, 0.02, limit=2_000_000)
    recorded = played(schedule, 100_000, size=1000)
    distances = [after - before for before, after in pairwise(recorded) if before > 1000]
    assert recorded[:1000] == list(range(1, 1001))
    assert distances == sorted(distances)
    at = [next(i for i, step in enumerate(recorded) if step > where) for where in (20_000, 40_000)]
    assert (recorded[at[1] + 1] - recorded[at[1]]) / (
        recorded[at[0] + 1] - recorded[at[0]]
    ) == pytest.approx(2, rel=0.05)
    # Seven doublings have used a third of the room that is kept for twenty.
    assert len(recorded) < 1000 + 1000 * 8 / 20


def test_a_full_store_records_no_more():
    schedule = Schedule(1, 0.02, limit=100)
    schedule.took(1, 1.0, 0.0, recorded=True, size=100)
    assert schedule.next(1) == NEVER


def test_steps_that_were_not_timed_took_what_others_take():
    schedule = Schedule("auto", 0.02)
    for step in range(1, 11):
        schedule.took(step, 1.5, 0.5, recorded=True, size=0)
    for step in range(11, 16):
        schedule.took(step, 2.0, 0.0, recorded=False, size=0)
    schedule.passed(100, own=0.25)
    assert schedule.steps == 100
    assert schedule.elapsed == pytest.approx(10 * 1.0 + 5 * 2.0 + 85 * 2.0)
    assert schedule.own == pytest.approx(10 * 0.5 + 0.25)


def test_what_a_recorded_step_costs_beyond_our_own_clock_is_charged():
    schedule = Schedule("auto", 0.02)
    for step in range(1, 200):
        recorded = step <= 10 or step % 10 == 0
        seconds, own = (1.5, 0.1) if recorded else (1.0, 0.0)
        schedule.took(step, seconds, own, recorded=recorded, size=0)
    assert schedule.interval() == 0.5 / 0.01
