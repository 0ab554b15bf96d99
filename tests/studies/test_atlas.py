"""The trainability map: laid out, trained, taken up again, and each cell what its networks did."""

from __future__ import annotations

import numpy as np
import pytest

import undertow as ut
from undertow.data.dataset import load
from undertow.engine import choice
from undertow.errors import SpecError, UnknownName
from undertow.executors.here import Here
from undertow.spec.checked import with_changes
from undertow.studies import atlas

SHORT = with_changes(atlas.TRAINING, epochs=3)
MOONS = load("moons")


@pytest.fixture
def rows():
    """Two depths, four variances, two seeds."""
    return [
        row._replace(depth=depth, variances=row.variances[::6], replicates=2)
        for depth, row in zip((2, 4), atlas.plan("tanh"), strict=False)
    ]


@pytest.mark.parametrize("activation", atlas.BIAS_VARIANCE)
@pytest.mark.parametrize("networks", [1, 10_000, 12_345])
def test_a_map_has_the_networks_asked_for_around_the_critical_variance(activation, networks):
    rows = atlas.plan(activation, networks)
    assert networks <= sum(len(row.seeds) for row in rows) < networks + 500
    middle = ut.critical(activation, atlas.BIAS_VARIANCE[activation]).weight_variance
    variances = rows[0].variances
    assert np.sqrt(variances[0] * variances[-1]) == pytest.approx(middle, rel=1e-5)
    assert np.ptp(np.diff(np.log(variances))) < 1e-4


@pytest.mark.parametrize(
    ("activation", "networks", "error"),
    [("gelu", 100, UnknownName), ("tanh", 0, SpecError), ("tanh", 10**7, SpecError)],
)
def test_a_map_that_cannot_be_is_one_line(activation, networks, error):
    with pytest.raises(error) as raised:
        atlas.plan(activation, networks)
    assert "\n" not in str(raised.value)


def alone(row, place, seed):
    """Train the network of a cell by itself, and return its test accuracy."""
    chunks = []
    spec = row.job(SHORT).drawn_from[place]
    choice.train(spec, SHORT, MOONS, [seed], chunks.append)
    return chunks[-1].arrays["test_accuracy"][0, -1]


def test_each_cell_holds_what_its_networks_do_when_they_train_alone(tmp_path, rows):
    with ut.open(tmp_path / "runs.db", create=True) as store:
        cells = atlas.run(rows, MOONS, store, training=SHORT)
        traces = [store.trace(run.id) for run in store.runs()]
    enough = (1 + MOONS.larger_test_share) / 2
    for row, trace in zip(rows, traces, strict=True):
        expected = [alone(row, place, seed) for place, seed in enumerate(row.seeds)]
        found = trace.dataset["test_accuracy"].values[:, -1]
        np.testing.assert_allclose(found, expected, atol=0.03)  # one sample of fifty at most
        for at, variance in enumerate(row.variances):
            (cell,) = [cell for cell in cells if cell[:2] == (row.depth, variance)]
            assert cell.replicates == 2
            assert cell.trained_fraction == np.mean(found[2 * at : 2 * at + 2] > enough)


def test_no_gradients_are_kept(tmp_path, rows):
    with ut.open(tmp_path / "runs.db", create=True) as store:
        atlas.run(rows[:1], MOONS, store, training=SHORT)
        trace = store.trace(store.runs()[0].id)
    assert set(trace.dataset.data_vars) == set(atlas.KEPT)
    assert trace.attributes["weight_variances"] == list(rows[0].variances)


def test_what_is_there_is_not_trained_again(tmp_path, rows):
    told = []
    with ut.open(tmp_path / "runs.db", create=True) as store:
        first = atlas.run(rows[:1], MOONS, store, training=SHORT)
        again = atlas.run(
            rows, MOONS, store, training=SHORT, progress=lambda _, trained: told.append(trained)
        )
        fresh = atlas.run(rows[:1], MOONS, store, training=SHORT, fresh=True)
        assert len(store.runs()) == 3
    assert told == [0, 8]
    assert again[: len(first)] == first == fresh


class Enough(Exception):
    """Something stops a map."""


class Stopping:
    """An executor that is stopped after the first epoch."""

    def run(self, jobs, data):
        yield next(Here().run(jobs, data))
        raise Enough


def test_a_row_that_was_interrupted_is_begun_again(tmp_path, rows):
    def stop(*_):
        raise Enough

    with ut.open(tmp_path / "runs.db", create=True) as store:
        with pytest.raises(Enough):
            atlas.run(rows, MOONS, store, training=SHORT, progress=stop)
        assert [run.state for run in store.runs()] == ["finished"]
        with pytest.raises(Enough):
            atlas.run(rows, MOONS, store, training=SHORT, executor=Stopping())
        first, half = store.runs()
        assert (first.state, half.state) == ("finished", "interrupted")
        cells = atlas.run(rows, MOONS, store, training=SHORT)
        assert [run.state for run in store.runs()] == ["finished"] * 2
        assert [run.id for run in store.runs()] == [first.id, half.id]
    assert len(cells) == 8


def test_trained_means_more_than_half_of_what_there_is_to_learn(tmp_path, rows):
    with ut.open(tmp_path / "runs.db", create=True) as store:
        atlas.run(rows[:1], MOONS, store, training=SHORT)
        trace = store.trace(store.runs()[0].id)
    accuracy = trace.dataset["test_accuracy"]
    accuracy[:, -1] = [0.5, 0.54, 0.76, 0.77, 0.78, 0.99, 1.0, np.nan]
    assert MOONS.larger_test_share == pytest.approx(0.54)
    assert atlas.has_trained(trace).tolist() == [*[False] * 3, False, True, True, True, False]
