"""The commands whose words are kept, and how each is typed: in this process, in 80 columns.

`@name` stands for the id of the run of an arm, or of the run of that name.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.as_before import report_pages
from tests.as_before.holdings import SINCE
from tests.as_before.kept import copied, run_ids
from undertow.app.cli.main import main

PLAIN = {"COLUMNS": "80", "LINES": "24", "NO_COLOR": "1", "TERM": "dumb"}
COLOURED = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
OF_THIS_CALL = ("seconds",)  # how long it took

MOONS = "run moons --replicates 2 --epochs 1 --engine lanes"
STUDY = "run moons --arm sigmoid --arm relu --replicates 6 --epochs 2 --engine torch"
ATLAS = "atlas relu --networks 1"


class Command(NamedTuple):
    """A store, and what is typed beside it."""

    store: str
    words: str


COMMANDS = {
    "list": Command("lanes", "list"),
    "list-json": Command("lanes", "list --json"),
    "lanes-runs": Command("lanes", "runs"),
    "lanes-run": Command("lanes", MOONS),
    "lanes-run-json": Command("lanes", f"{MOONS} --json"),
    "lanes-report": Command("lanes", "report moons -o page.html"),
    "lanes-diagnose": Command("lanes", "diagnose @sigmoid"),
    "lanes-explain": Command("lanes", "explain @sigmoid"),
    "lanes-watch": Command("lanes", "watch --once --run @relu"),
    "torch-runs": Command("torch", "runs"),
    "torch-run": Command("torch", STUDY),
    "torch-run-json": Command("torch", f"{STUDY} --json"),
    "torch-report": Command("torch", "report @relu @sigmoid -o page.html"),
    "torch-watch-json": Command("torch", "watch --run @sigmoid --json"),
    "watched-runs": Command("watched", "runs"),
    "watched-report": Command("watched", "report @healthy @broken -o page.html"),
    "watched-watch": Command("watched", "watch --once --run @broken"),
    "watched-watch-json": Command("watched", "watch --run @broken --json"),
    "watched-explain": Command("watched", "explain @healthy --json"),
    "interrupted-runs": Command("interrupted", "runs"),
    "interrupted-runs-json": Command("interrupted", "runs --json"),
    "interrupted-watch": Command("interrupted", "watch --once --run @tanh"),
    "interrupted-report": Command("interrupted", "report @tanh -o page.html"),
    "atlas-runs": Command("atlas", "runs"),
    "atlas": Command("atlas", ATLAS),
    "atlas-json": Command("atlas", f"{ATLAS} --json"),
    "atlas-report": Command("atlas", f"{ATLAS} --report page.html"),
    **{
        f"{store}-{verb}-{arm}-json": Command(store, f"{verb} @{arm} --json")
        for store, arms in {
            "lanes": ("sigmoid", "relu", "sigmoid-batch-norm", "relu-large-step"),
            "torch": ("sigmoid", "relu"),
            "interrupted": ("relu", "leaky-relu", "tanh"),
        }.items()
        for verb in ("diagnose", "explain")
        for arm in arms
    },
    "watched-diagnose-healthy-json": Command("watched", "diagnose @healthy --json"),
    "watched-diagnose-broken-json": Command("watched", "diagnose @broken --json"),
}


def printed(name: str, folder: Path) -> dict[str, Any]:
    """Type a kept command in a folder with a copy of its store; return what came of it."""
    store, words = COMMANDS[name]
    path = copied(store, folder)
    return answer(words.split(), path)


def answer(words: list[str], store: Path) -> dict[str, Any]:
    """Type a command beside a store; return its status, words, document and page."""
    ids = run_ids(store)
    typed = [ids[word[1:]] if word.startswith("@") else word for word in words]
    if words[0] != "list":
        typed += ["--store", store.name]
    status, out, said = heard(typed, store.parent)
    found: dict[str, Any] = {"typed": f"undertow {' '.join(typed)}", "status": status}
    found["said"] = said.splitlines()
    if "--json" in words and out:
        found["document"] = document(out)
    else:
        found["printed"] = [_lasting(line.rstrip()) for line in out.splitlines()]
    page = store.parent / "page.html"
    if page.exists():
        found["page"] = report_pages.described(page.read_text(encoding="utf-8"))
    return found


def document(text: str) -> Any:
    """Read a JSON document, without how long this call took and what is new since."""
    found = json.loads(text)
    if isinstance(found, dict):
        left_out = (*OF_THIS_CALL, *SINCE)
        found = {key: value for key, value in found.items() if key not in left_out}
    return found


def heard(words: list[str], folder: Path) -> tuple[int, str, str]:
    """Type a command in a folder; return its status, what it printed and what it said beside."""
    out, said, status = io.StringIO(), io.StringIO(), 0
    argv, environment = sys.argv, dict(os.environ)
    heard_before = signal.getsignal(signal.SIGTERM)
    try:
        sys.argv = ["undertow", *words]
        os.environ.update(PLAIN)
        for name in COLOURED:
            os.environ.pop(name, None)
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(said),
        ):
            main()
    except SystemExit as ended:
        status = int(ended.code or 0)
    finally:
        sys.argv = argv
        os.environ.clear()
        os.environ.update(environment)
        signal.signal(signal.SIGTERM, heard_before)
    return status, out.getvalue(), said.getvalue()


def _lasting(line: str) -> str:
    """Leave out how long a call took, and to what a sum closes: 0 or a few round-offs."""
    line = re.sub(r" in \d+\.\d s\.", " in ... s.", line)
    return re.sub(r" within \de[-+]\d+ dex", " within ... dex", line)
