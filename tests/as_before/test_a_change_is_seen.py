"""Each comparison of this folder complains where one number, word or digit is another."""

from __future__ import annotations

import json
import sqlite3
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.as_before import commands, holdings, make, report_pages, trials
from tests.as_before.differing import array, differences, digests, told
from tests.as_before.kept import EXPORTS, NAMES, ROUND_OFF, copied, expected
from undertow.trace.store.array_codec import decode_array, encode_array

PAGE = """
<section id="verdict"><h2>The verdict</h2><p>sick</p></section>
<section id="evidence"><figure><script type="application/json" data-for="stuck">
{"$schema": "https://vega.github.io/schema/vega-lite/v5.8.0.json", "data": {"name": "data-1"},
 "mark": "bar", "datasets": {"data-1": [{"arm": "relu", "share": 0.5}]}}
</script></figure></section><script>draw()</script>
"""


def change(path: Path, table: str) -> None:
    """Change one number of one array in a store by its last digit."""
    connection = sqlite3.connect(path)
    names = "'loss'" if table == "chunks" else "'first_layer_weights', 'data_inputs', 'way'"
    column = "variable" if table == "chunks" else "name"
    row, *stored = connection.execute(
        f"SELECT rowid, type, shape, data FROM {table} WHERE {column} IN ({names})"
    ).fetchone()
    values = decode_array(*stored).copy()
    values.flat[0] = np.nextafter(values.flat[0], np.inf, dtype=values.dtype)
    with connection:
        connection.execute(
            f"UPDATE {table} SET type = ?, shape = ?, data = ? WHERE rowid = ?",
            (*encode_array(values), row),
        )
    connection.close()


@pytest.mark.parametrize(
    ("name", "table"),
    [*((name, "chunks") for name in NAMES), ("lanes", "artefacts"), ("torch", "artefacts")],
)
def test_one_digit_of_a_store(name: str, table: str, tmp_path: Path):
    path = copied(name, tmp_path)
    change(path, table)
    found = differences(expected(f"holds-{name}"), holdings.store(path))
    assert any("sha256" in line for line in found), told(found)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET step = step + 1",
        "UPDATE runs SET header = replace(header, '\"learning_rate\": 0.001', '\"l\": 0.002')",
        "UPDATE runs SET name = name || 's'",
        "UPDATE runs SET state = 'finished'",
    ],
)
def test_one_word_of_a_store(statement: str, tmp_path: Path):
    path = copied("interrupted", tmp_path)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()
    assert differences(expected("holds-interrupted"), holdings.store(path))


@pytest.mark.parametrize("name", ["torch-runs", "lanes-run", "torch-report", "torch-run-json"])
def test_another_number_in_what_is_printed(name: str, tmp_path: Path):
    """A store whose last test accuracies are others is another table, document and page."""
    path = copied(commands.COMMANDS[name].store, tmp_path)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE shards SET seconds = seconds + 1")
        for row, *stored in connection.execute(
            "SELECT rowid, type, shape, data FROM chunks WHERE variable = 'test_accuracy'"
        ).fetchall():
            values = decode_array(*stored)
            connection.execute(
                "UPDATE chunks SET type = ?, shape = ?, data = ? WHERE rowid = ?",
                (*encode_array(values * np.float32(0.9)), row),
            )
    connection.close()
    now = commands.answer(commands.COMMANDS[name].words.split(), path)
    assert differences(expected(f"printed/{name}"), now, ROUND_OFF)


@pytest.mark.parametrize("name", ["demo", "verdicts", "addresses", "netcdf", "printed/atlas-json"])
def test_any_leaf_of_a_document(name: str):
    """The first and the last number or word, and one in the middle."""
    before = expected(name)
    places = list(leaves(before))
    for place in (places[0], places[len(places) // 2], places[-1]):
        for tolerance in (0.0, ROUND_OFF):
            now = deepcopy(before)
            spoil(now, place)
            assert differences(before, now, tolerance), place
    assert differences(before, deepcopy(before)) == []


def test_round_off_is_forgiven_where_it_is_to_be_and_nowhere_else():
    before, now = {"a": [1.0, 0.0]}, {"a": [1.0 + 1e-13, 1e-17]}
    assert differences(before, now, ROUND_OFF) == []
    assert len(differences(before, now)) == 2
    assert differences({"a": 1}, {"a": True}) == ["a: 1, now True"]
    assert differences({"a": 1}, {"a": 2}, ROUND_OFF) == ["a: 1, now 2"]
    assert differences({"a": float("nan")}, {"a": float("nan")}) == []


def test_a_rounded_digest_sees_what_round_off_is_not():
    before = digests([1.0, 2.0])
    assert differences(before, digests([1.0, 2.0 + 1e-13]), ROUND_OFF) == []
    assert differences(before, digests([1.0, 2.0 + 1e-13]))
    assert differences(before, digests([1.0, 2.001]), ROUND_OFF)


@pytest.mark.parametrize(
    "values",
    [[1.0, 2.0, 3.5], [[1.0, 2.0, 3.0]], [1, 2, 3], [1.0, np.nan, 3.0], ["1", "2", "3"]],
)
def test_another_array_is_described_otherwise(values: list[Any]):
    assert array(np.array(values)) != array(np.array([1.0, 2.0, 3.0]))
    assert array(np.array(values)) == array(np.array(values))


@pytest.mark.parametrize(
    ("word", "other", "part"),
    [
        ("sick", "healthy", "sections/verdict"),
        ('"share": 0.5', '"share": 0.51', "figures/stuck/data"),
        ('"mark": "bar"', '"mark": "line"', "figures/stuck/drawn"),
        ("<script>draw()</script>", "", "scripts"),
        ("<h2>", "<h3>", "html"),
    ],
)
def test_another_word_or_number_in_a_page(word: str, other: str, part: str):
    assert word in PAGE
    before, now = (report_pages.described(page) for page in (PAGE, PAGE.replace(word, other)))
    assert any(line.startswith(part) for line in differences(before, now))


@pytest.mark.parametrize(("word", "other"), [("data-1", "data-7"), ("v5.8.0", "v5.9")])
def test_what_a_version_of_altair_names_otherwise_is_no_difference(word: str, other: str):
    before, now = (report_pages.described(page) for page in (PAGE, PAGE.replace(word, other)))
    assert differences(before, now) == []


def test_one_digit_of_an_address():
    before = expected("addresses")["read"]["every word"]
    now = trials.described(before["address"].replace("gain=0.9", "gain=0.91"))
    assert [line.split(":")[0] for line in differences(before, now)] == [
        "address",
        "trial/network/gain",
        "again",
    ]


def test_one_digit_of_an_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def spoiled(name: str, folder: Path) -> Path:
        path = copied(name, folder)
        connection = sqlite3.connect(path)
        connection.execute("UPDATE chunks SET variable = 'loss' WHERE variable = 'input_rms'")
        connection.commit()
        connection.close()
        return path

    monkeypatch.setattr(make, "copied", spoiled)
    make.exported(tmp_path)
    assert (tmp_path / "run.csv").read_bytes() != (EXPORTS / "run.csv").read_bytes()
    assert differences(expected("netcdf"), holdings.netcdf(tmp_path / "run.nc"))


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Any:
    """Yield the place of every number and word in a document."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        if isinstance(part, dict | list):
            yield from leaves(part, (*place, key))
        elif key != "exact":  # which does not count on another processor
            yield (*place, key)


def spoil(document: Any, place: tuple[Any, ...]) -> None:
    """Change what stands at a place of a document."""
    *inner, last = place
    for key in inner:
        document = document[key]
    value = document[last]
    number = isinstance(value, float)
    document[last] = value * 1.001 + 1e-3 if number else json.dumps(value) + "!"
