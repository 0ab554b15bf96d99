"""Where the fixtures lie, and how they are read, written and copied.

    stores/      small stores, as Undertow wrote them before its files were moved
    exports/     a run of one of them as NetCDF and CSV
    expected/    what Undertow read, printed and decided then

`make.py` makes all of it; nothing here is written while tests run.
"""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import undertow as ut
from undertow.engine.lanes.native_library import library

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
STORES, EXPORTS, EXPECTED = HERE / "stores", HERE / "exports", HERE / "expected"
NAMES = ("lanes", "torch", "watched", "interrupted", "atlas")
ELSEWHERE = "elsewhere"  # the machine that the stores say they were written on
WIDTH = 100  # of a line of a kept document, where its parts can be told apart
ROUND_OFF = 1e-6  # what another processor may change in a logarithm that is taken in float32


def expected(name: str) -> Any:
    """Return a document that was kept."""
    return json.loads((EXPECTED / f"{name}.json").read_text(encoding="utf-8"))


def write(path: Path, document: Any) -> None:
    """Write a document so that a change of one number is a change of one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_laid_out(document, "") + "\n", encoding="utf-8")


def copied(name: str, folder: Path, stores: Path = STORES) -> Path:
    """Copy a store into a folder, since reading may write beside it; return where it is.

    A run that was killed is told from one that is being written by its process, which can be
    looked for on its own machine alone. So in the copy the writer is a process that ended here.
    """
    path = Path(shutil.copy(stores / f"{name}.db", folder / f"{name}.db"))
    path.chmod(0o644)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    _update(path, "UPDATE runs SET host = ?, pid = ?", socket.gethostname(), ended.pid)
    return path


def made_small(path: Path) -> None:
    """Make a store one file without gaps, and take out who wrote it."""
    _update(path, "UPDATE runs SET host = ?, pid = 1, born = ''", ELSEWHERE)
    connection = sqlite3.connect(path)
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def run_ids(path: Path) -> dict[str, str]:
    """Return the id of each run by its arm, or by its name where it is no arm."""
    with ut.open(path) as store:
        return {str(each.attributes.get("arm", each.name)): each.id for each in store.runs()}


def processor() -> dict[str, Any]:
    """Say what last digits depend on: instructions that are used, and versions.

    On a processor of the kind that made the fixtures every digit has to be as it was. On another
    one the logarithms of NumPy may differ in their last, and so may what is computed from them.
    """
    lanes = library()
    return {
        "numpy": [np.__version__, *np.show_config(mode="dicts")["SIMD Extensions"]["found"]],
        "torch": [torch.__version__, torch.backends.cpu.get_cpu_capability()],
        "lanes": lanes.lanes_name().decode() if lanes else "none",
    }


def tolerance() -> float:
    """Return by how much a computed number may differ from the one kept: on like processors, 0."""
    return 0.0 if processor() == expected("processor") else ROUND_OFF


def _laid_out(value: Any, margin: str) -> str:
    """Write a value as JSON: in one line where it fits, else an entry a line."""
    text = json.dumps(value, ensure_ascii=False)
    if len(margin) + len(text) <= WIDTH or not value or not isinstance(value, dict | list):
        return text
    inner = margin + " "
    if isinstance(value, dict):
        keys = (json.dumps(key, ensure_ascii=False) for key in value)
        parts = [
            f"{key}: {_laid_out(part, inner)}"
            for key, part in zip(keys, value.values(), strict=True)
        ]
    else:
        parts = [_laid_out(part, inner) for part in value]
    opened, closed = "{}" if isinstance(value, dict) else "[]"
    return f"{opened}\n{inner}" + f",\n{inner}".join(parts) + f"\n{margin}{closed}"


def _update(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()
