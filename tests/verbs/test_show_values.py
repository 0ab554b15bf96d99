"""A Trace, a Diagnosis and a Budget show themselves, in a fresh process each, escaped."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import undertow as ut
from tests.as_before.kept import copied, run_ids
from undertow.errors import SpecError
from undertow.trace.record import Header, Layer, build, provenance

EVIL = "<script>alert(1)</script>"
MADE = f"""
import torch
from torch import nn
import undertow as ut
torch.manual_seed(0)
parts = {{}}
for place in range(7):
    parts[f"{EVIL}{{place}}"] = nn.Linear(4, 4)
    parts[f"s{{place}}"] = nn.Sigmoid()
model = nn.Sequential()
for name, part in parts.items():
    model.add_module(name, part)
model.add_module("out", nn.Linear(4, 1))
batch = torch.randn(16, 4), torch.zeros(16, 1)
trace = ut.probe(model, nn.functional.mse_loss, batch)
found = {{
    "trace": trace,
    "diagnosis": ut.diagnose(trace),
    "budget": ut.explain(model, nn.functional.mse_loss, batch),
}}
"""
NO_ALTAIR = "import sys\nsys.modules['altair'] = None\n"


def said(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("trace", ["Trace, watched: 1 replicate, 1 recorded step, 8 layers", "|dE/dW| at first"]),
        ("diagnosis", ["vanishing gradient (UT101) at", "batch-norm"]),
        ("budget", ["lost decades", "ceiling", "all"]),
    ],
)
def test_each_says_in_words_and_as_html_what_it_is(name: str, words: list[str], tmp_path: Path):
    # Neither needs the extra that draws.
    show = f"print(found['{name}'], '@@@', found['{name}']._repr_html_(), sep='')"
    text, html = said(f"{NO_ALTAIR}{MADE}\n{show}", tmp_path).split("@@@")
    for word in words:
        assert word in " ".join(text.split())
        assert word in unescape(html)
    assert "<script" not in html
    assert f"{EVIL}0" in unescape(html)
    assert max(map(len, text.splitlines())) <= 80
    opened = re.findall(r"<(\w+)", html)
    assert sorted(opened) == sorted(re.findall(r"</(\w+)", html))


@pytest.mark.parametrize(
    "call", ["trace.plot()", "found['budget'].plot()", "trace.report('a.html')"]
)
def test_without_the_extra_one_line_says_what_to_install(call: str, tmp_path: Path):
    program = (
        f"{NO_ALTAIR}{MADE}\ntry:\n    {call}\nexcept ut.UndertowError as error:\n    print(error)"
    )
    assert said(program, tmp_path) == (
        "altair is not installed: type  pip install 'undertow[show]'\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_trace_and_a_budget_are_drawn(tmp_path: Path):
    show = """
for chart in (trace.plot(), trace.plot("delta_norm"), found["budget"].plot()):
    print(type(chart).__module__.split(".")[0], bool(chart.to_dict()["title"]["text"]))
"""
    assert said(f"{MADE}{show}", tmp_path) == "altair True\n" * 3


def test_a_report_of_one_trace(tmp_path: Path):
    path = copied("lanes", tmp_path)
    with ut.open(path) as store:
        trace = store.trace(run_ids(path)["relu"])
    written = Path(trace.report(tmp_path / "one.html"))
    page = written.read_text()
    assert written == tmp_path / "one.html"
    assert "<h1>Two moons, 10 hidden layers of 10 units</h1>" in page
    with pytest.raises(SpecError, match="one.pdf: a file that ends in .html"):
        trace.report(tmp_path / "one.pdf")


def test_what_cannot_be_shown_is_one_line(tmp_path: Path):
    network = ut.NetworkSpec(inputs=2, outputs=1, depth=4, width=8, activation="tanh")
    predicted = ut.predict(network, np.ones((4, 2)))
    with pytest.raises(SpecError, match="a report of a predicted trace: only of runs"):
        predicted.report(tmp_path / "p.html")
    with pytest.raises(SpecError, match="plot: variable 'loss': one of grad_norm, delta_norm"):
        predicted.plot("loss")
    assert list(tmp_path.iterdir()) == []


def test_a_table_has_a_row_a_cell():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))
    batch = torch.randn(8, 2), torch.zeros(8, 1)
    trace = ut.probe(model, nn.functional.mse_loss, batch)
    table = trace.to_pandas()
    assert table["layer"].tolist() == ["0", "2", "4"]
    assert table["grad_norm"].tolist() == trace.dataset["grad_norm"].values.ravel().tolist()
    found = ut.diagnose(trace)
    assert [tuple(row) for row in found.to_pandas().to_numpy()] == list(found.rules)
    budget = ut.explain(model, nn.functional.mse_loss, batch)
    assert budget.to_pandas()["total"].sum() == pytest.approx(budget.total_dex)


def test_a_run_that_has_not_begun_shows_itself():
    layer = Layer("output", 1, "linear", "linear", 2, 1)
    trace = build(Header((layer,), (0,), provenance("watched")), [])
    assert "0 recorded steps" in str(trace)
    with pytest.raises(SpecError, match="plot: the trace holds no grad_norm"):
        trace.plot()
