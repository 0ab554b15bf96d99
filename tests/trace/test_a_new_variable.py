"""A quantity that is added to the schema alone, and measured, is seen everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.copied_package import copied_package, ran

ROOT = Path(__file__).resolve().parents[2]
ENTRY = """VARIABLES: dict[str, Variable] = {
    "wobble": Variable(
        _PER_LAYER, "share", "share of units that wobble",
        Column("wobble", "wob-\\nble", "share"), of_arms=True,
    ),
"""
PROGRAM = """
import io, json, sys
from pathlib import Path
import numpy as np
from rich.console import Console
from tests.show.hand_made_traces import document, trace
from undertow.show.report.page import page
from undertow.show.terminal import live
from undertow.studies.summary import arm_summary
from undertow.trace import readings, schema_tables
from undertow.trace.export import export
from undertow.trace.record import Chunk, Header, Layer, build
from undertow.trace.store.reader import Run

made = trace(1, 1, 2)
names = ["grad_norm", "delta_norm", "loss", "test_accuracy", "predicted_share", "nonfinite"]
arrays = {name: readings.values(made, name) for name in names}
arrays["wobble"] = np.full((1, 2, 4), 0.375)
layers = tuple(Layer(f"layer {place}", place, "linear", "tanh", 2, 2) for place in range(1, 5))
chunk = Chunk(np.array([1, 2]), np.array([1, 1]), arrays)
trace = build(Header(layers, (0,), made.attributes), [chunk], artefacts=made.artefacts)

folder = Path(sys.argv[1])
export(trace, folder / "run.csv")
run = Run("net-1", "net", "running", "2026-01-01T00:00:00", 1, 0, 0.0, "trained", {})
newest = live.document(run, trace, ())
file = io.StringIO()
Console(file=file, width=120, color_system=None).print(live.view(newest, width=120))
words = {"title": "t", "command": "c", "words": "w"}
docs = folder / "trace-schema.md"
docs.write_text(Path("docs/trace-schema.md").read_text())
schema_tables.main(docs)
study = document(["a"])
summary = arm_summary("a", "net-1", trace)
arms = [each | {"layers": summary["layers"]} for each in study["arms"]]
print(json.dumps({
    "export": (folder / "run.csv").read_text(),
    "document": newest["layers"],
    "live": file.getvalue(),
    "summary": summary["layers"],
    "report": page({**study, "arms": arms}, {"a": trace}, **words),
    "docs": docs.read_text(),
}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a copy of the package shows, with one more entry in its schema and no other line."""
    folder = tmp_path_factory.mktemp("copy")
    copied_package(folder)
    schema = folder / "undertow" / "trace" / "schema.py"
    text = schema.read_text()
    first, _, _ = ENTRY.partition("\n")
    assert text.count(first) == 1
    schema.write_text(text.replace(f"{first}\n", ENTRY))
    return json.loads(ran(folder, PROGRAM, str(folder), place=ROOT))


def test_the_export_has_it(seen: dict[str, Any]):
    head, *rows = seen["export"].splitlines()
    place = head.split(",").index("wobble")
    assert [row.split(",")[place] for row in rows] == ["0.375"] * 8


def test_the_live_view_has_it_as_number_and_as_column(seen: dict[str, Any]):
    assert [layer["wobble"] for layer in seen["document"]] == [0.375] * 4
    lines = seen["live"].splitlines()
    assert any("wob-" in line for line in lines)
    assert sum(" 38%" in line for line in lines) == 4


def test_the_summary_of_an_arm_has_it(seen: dict[str, Any]):
    assert [layer["wobble"] for layer in seen["summary"]] == [{"first": 0.375, "last": 0.375}] * 4


def test_the_report_has_it_as_a_word_and_as_columns(seen: dict[str, Any]):
    report = seen["report"]
    assert "<dt><code>wobble</code>" in report
    assert "<dd>share of units that wobble</dd>" in report
    assert "wobble of layer 1<br>at step 1</th>" in report
    row = next(row for row in report.split("<tr>") if row.startswith('<th scope="row">a<'))
    assert row.count('<td class="n">0.38</td>') == 2


def test_the_documentation_has_it(seen: dict[str, Any]):
    row = "| `wobble` | r, s, l | share | share of units that wobble |"
    assert row in seen["docs"].splitlines()
    assert row not in (ROOT / "docs" / "trace-schema.md").read_text().splitlines()
