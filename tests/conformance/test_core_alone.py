"""Watching needs no framework: a NumPy network, watched where PyTorch cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import logging, sys
for name in ("torch", "keras", "tensorflow", "jax"):
    sys.modules[name] = None  # an import of it is an ImportError
logging.basicConfig(format="%(message)s")

import numpy as np
import undertow as ut
from tests.conformance.numpy_net import batch
from tests.conformance.numpy_watch import NumpyWatch
from tests.conformance.numpy_world import CASES
from undertow.trace.sinks.store import StoreFile
from undertow.verbs.arms import diagnose_and_explain
from undertow.verbs.report_watched import report

store = sys.argv[1] + "/runs.db"
for name, last in (("well", 40), ("broken", 25)):
    net, (optimizer,) = CASES[0].build()
    with NumpyWatch(net, optimizer, every=1, keeper=StoreFile(store, name, new=True)) as w:
        for number in range(1, last + 1):
            if name == "broken" and number == 21:
                net.layers[1].weight[2] = np.inf
            CASES[0].step(net, [optimizer], number, w.log)

with ut.open(store) as opened:
    traces = {run.id: opened.trace(run.id) for run in opened.runs()}
    print(*(f"{run.id}: {run.state}" for run in opened.runs()))
for name, trace in traces.items():
    steps = trace.dataset.step.values.tolist()
    print(name, steps[:10] == list(range(1, 11)), trace.attributes["device"], trace.source)
    for event in trace.events:
        print(" ", event.kind, event.step, event.layer, event.detail)
    print(" ", ut.diagnose(trace).outcome)
report({name: (name, trace) for name, trace in traces.items()}, sys.argv[1] + "/page.html",
       png=False, command="watched", store=store)
print("frameworks:", [name for name, module in sys.modules.items() if name == "torch" and module])
"""


def test_a_numpy_network_is_watched_without_torch(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "well: finished broken: finished",
        "well True cpu watched",
        "  healthy",
        "broken True cpu watched",
        "  nonfinite 21 output on the way forward: in its output; what it reads is finite",
        "  sick",
        "frameworks: []",
    ]
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "UT105" in page  # NaN or Inf
