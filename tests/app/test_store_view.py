"""The store as the page of runs reads it, and the words for it."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

import undertow as ut
from tests.writing import Writing
from undertow.app.pages.runs import store_view, view
from undertow.app.pages.runs.settings import settings
from undertow.data.dataset import load
from undertow.errors import RunMissing, StoreForeign, StoreMissing
from undertow.experiments import experiment
from undertow.studies import study
from undertow.trace.record import Chunk, Header, Layer, Trace, provenance

LAYERS = tuple(Layer(f"layer {place}", place, "linear", "tanh", 2, 2) for place in (1, 2, 3))


def chunk(steps, replicates=2, value=1.0, first=0):
    norms = np.full((replicates, len(steps), 3), value, np.float32)
    arrays = {"grad_norm": norms, "delta_norm": norms, "loss": norms[..., 0]}
    return Chunk(np.array(steps), np.ones(len(steps), int), arrays, first)


def begin(store, name, replicates=2):
    return store.begin(
        name, name, name, Header(LAYERS, tuple(range(replicates)), provenance("trained"))
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A store of two arms of a study."""
    path = tmp_path_factory.mktemp("trained") / "runs.db"
    planned = study.plan(
        experiment("moons"), load("moons"), arms=["sigmoid", "relu"], replicates=3, epochs=3
    )
    with ut.open(path, create=True) as store:
        outcomes = study.run(planned, load("moons"), store, workers=1)
    return str(path), [outcome.run for outcome in outcomes]


def test_the_list_has_the_newest_first_and_the_last_steps(tmp_path):
    path = str(tmp_path / "runs.db")
    with ut.open(path, create=True) as store:
        for name, steps in (("one", [1, 2]), ("two", [1, 2, 3])):
            writer = begin(store, name)
            writer.append(0, chunk(steps))
            writer.finish()
    assert [(row.run.id, row.step) for row in store_view.list_runs(path)] == [
        ("two", 3),
        ("one", 2),
    ]
    assert store_view.contents(path) == (("one", "finished"), ("two", "finished"))


def test_what_is_looked_at_is_named_or_the_newest(trained):
    path, (first, second) = trained
    assert store_view.choose_runs(path, []) == [second]
    assert store_view.choose_runs(path, [first[:9]]) == [first]
    with pytest.raises(RunMissing, match="run 'nothing' is not in the store"):
        store_view.choose_runs(path, ["nothing"])
    with pytest.raises(StoreMissing):
        store_view.choose_runs(path + "x", [])


def test_the_state_tells_that_another_process_has_written_a_step(tmp_path):
    path = tmp_path / "runs.db"
    writing = Writing(path, "net")
    try:
        states = [store_view.state(str(path), ["net"])]
        for word in (1, 2, "end"):
            writing.tell(word)
            states.append(store_view.state(str(path), ["net"]))
    finally:
        writing.close()
    assert states == [
        (("running", None, 0),),
        (("running", 1, 0),),
        (("running", 2, 0),),
        (("finished", 2, 1),),
    ]


def test_replicates_that_are_not_as_far_are_left_out_and_counted(tmp_path):
    path = str(tmp_path / "runs.db")
    with ut.open(path, create=True) as store:
        writer = begin(store, "net", replicates=5)
        writer.append(0, chunk([1, 2, 3], value=1.0))
        writer.finish_shard(0, 2, 0.1, {"first_layer_change": np.ones((2, 2))})
        writer.append(2, chunk([1], value=5.0))
        writer.flush()
        (found,) = store_view.read_runs(path, ["net"])
    assert found.behind == 3
    assert found.trace.dataset["seed"].values.tolist() == [0, 1]
    assert found.trace.artefacts["first_layer_change"].shape == (2, 2)
    assert float(found.trace.dataset["grad_norm"].max()) == 1.0


def test_of_a_long_run_evenly_spaced_flushes_are_read(tmp_path):
    path = str(tmp_path / "runs.db")
    random = np.random.default_rng(0)
    with ut.open(path, create=True) as store:
        writer = begin(store, "net")
        for first in range(1, 1001, 10):
            steps = list(range(first, first + 10))
            writer.append(0, chunk(steps, value=random.uniform()))
            writer.flush()
        writer.finish()
        whole = store.trace("net")
        some = store.trace("net", most=sum(_sizes(path)) // 9 + 1)
    steps = some.dataset["step"].values
    assert some.attributes["thinned"] == 9
    assert "thinned" not in whole.attributes
    assert steps[:21].tolist() == [*range(1, 21), 91]
    assert steps[-20:].tolist() == list(range(981, 1001))
    assert len(steps) == 10 * (12 + 1 + 1)  # every ninth, and the second and the last but one
    np.testing.assert_array_equal(
        some.dataset["grad_norm"].values, whole.dataset["grad_norm"].sel(step=steps).values
    )


def _sizes(path):
    with sqlite3.connect(path) as connection:
        found = [size for (size,) in connection.execute("SELECT length(data) FROM chunks")]
    connection.close()
    return found


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE chunks SET data = x'00' WHERE rowid = 1",
        "UPDATE chunks SET shape = '[99, 99]' WHERE rowid = 1",
        "UPDATE chunks SET type = 'rubbish' WHERE rowid = 1",
        "DELETE FROM chunks WHERE variable = 'step'",
        "UPDATE runs SET header = '{'",
        "UPDATE runs SET header = '{\"seeds\": [0]}'",
    ],
)
def test_a_damaged_run_is_one_line(tmp_path, damage):
    path = tmp_path / "runs.db"
    with ut.open(path, create=True) as store:
        writer = begin(store, "net")
        writer.append(0, chunk([1, 2]))
        writer.finish()
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with pytest.raises(StoreForeign) as raised:
        store_view.read_runs(str(path), ["net"])
    assert "holds a damaged run" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_settings_that_differ_come_first():
    one = {"dtype": "float32", "network": {"depth": 3, "skips": []}, "predicted": {"a": [1.0]}}
    other = {"dtype": "float32", "network": {"depth": 5, "skips": [[1, 2]]}}
    found = settings([one, other])
    assert [(row.name, row.values) for row in found if row.differs] == [
        ("network.depth", ["3", "5"]),
        ("network.skips", ["-", "1, 2"]),
    ]
    assert [row.name for row in found if not row.differs] == ["dtype"]


def test_measured_is_held_against_predicted(trained):
    path, (run, _) = trained
    (found,) = store_view.read_runs(path, [run])
    said = view.against_theory(found.trace)
    expected = found.trace.attributes["predicted"]["grad_norm"]
    norms = found.trace.dataset["grad_norm"].sel(step=1).values.astype(float)
    off = 0.5 * np.log10((norms**2).mean(0)) - np.log10(expected)
    worst = int(np.abs(off).argmax())
    assert f"{np.median(np.abs(off)):.2f} dex from what theory expects" in said
    assert f"at most {np.abs(off).max():.2f} at {LAYER_NAMES[worst]}" in said


LAYER_NAMES = [*(f"hidden_{place}" for place in range(1, 11)), "output"]


def test_a_run_without_a_prediction_says_nothing_of_it(trained):
    path, (run, _) = trained
    (found,) = store_view.read_runs(path, [run])
    attributes = {**found.trace.attributes, "predicted": None}
    bare = Trace(found.trace.dataset.assign_attrs(attributes))
    assert view.against_theory(bare) == ""


def test_a_page_can_be_put_together_of_every_run(trained):
    import marimo as mo

    path, runs = trained
    for names in (runs, runs[:1]):
        text = view.runs_view(mo, store_view.read_runs(path, names), view.View()).text
        assert "ut-verdict" in text
