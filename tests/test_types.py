"""The public face, `spec` and `trace` keep to pyright's strict rules, as editors see them."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STRICT = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pyright"]["strict"]


def errors(*paths: str | Path) -> list[str]:
    """Name what pyright finds wrong, a line each."""
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(
        [*command, *map(str, paths)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    return [
        f"{Path(each['file']).name}:{each['range']['start']['line'] + 1}: {each['message']}"
        for each in found
        if each["severity"] == "error"
    ]


def test_the_strict_paths_are_strictly_typed():
    assert errors(*STRICT) == []


def test_the_check_can_fail(tmp_path: Path):
    path = tmp_path / "bad.py"
    path.write_text("# pyright: strict\ndef half(x):\n    return x / 2\n")
    assert any("x" in error for error in errors(path))
