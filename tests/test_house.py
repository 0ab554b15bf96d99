"""The house rules: data flows one way, frameworks stay in their rooms, files stay short."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "undertow"

# From the top of the list down; a room imports only from rooms above it.
ROOMS = [
    "errors",
    "spec",
    "theory",
    "statistics",
    "trace",
    "prediction",
    "lab",
    "watching",
    "explanation",
    "diagnosis",
    "cure",
    "show",
    "app",
]
FRAMEWORKS = {"torch", "keras", "tensorflow", "jax"}
FRAMEWORK_ROOMS = {"lab", "watching", "cure"}
FRAMEWORK_FILES = {"prediction/from_torch.py", "prediction/torch_pictures.py"}
LONGEST = 400


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def faults(source: Path) -> list[str]:
    """Arrows that run up the list, and frameworks out of their rooms."""
    found = set()
    for path in source.rglob("*.py"):
        name = path.relative_to(source).as_posix()
        room = name.split("/")[0].removesuffix(".py")
        if room == "__init__":
            continue
        for module in imported(path):
            parts = module.split(".")
            at_home = room in FRAMEWORK_ROOMS or name in FRAMEWORK_FILES
            if parts[0] in FRAMEWORKS and not at_home:
                found.add(f"{name} names {parts[0]}")
            other = parts[1] if parts[0] == "undertow" and len(parts) > 1 else room
            if other in ROOMS and ROOMS.index(other) > ROOMS.index(room):
                found.add(f"{name} imports {other}, a room below it")
    return sorted(found)


def test_data_flows_one_way():
    assert faults(SOURCE) == []


@pytest.mark.parametrize(
    ("file", "line", "fault"),
    [
        ("trace/bad.py", "import undertow.lab.engine", "imports lab, a room below it"),
        ("statistics/bad.py", "from undertow.app import cli", "imports app, a room below it"),
        ("show/bad.py", "def f():\n    import torch", "names torch"),
    ],
)
def test_the_check_can_fail(tmp_path: Path, file: str, line: str, fault: str):
    path = tmp_path / file
    path.parent.mkdir()
    path.write_text(line)
    assert faults(tmp_path) == [f"{file} {fault}"]


def test_every_room_is_on_the_list():
    rooms = {path.stem for path in SOURCE.iterdir() if not path.name.startswith("__")}
    assert rooms <= set(ROOMS)


def test_no_file_is_too_long():
    lengths = {path.name: len(path.read_text().splitlines()) for path in SOURCE.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.parametrize(
    "statement",
    ["import undertow", "import undertow.app.cli", "import undertow; undertow.NetworkSpec"],
)
def test_a_light_start(statement: str):
    heavy = "{'torch', 'xarray', 'altair', 'pandas', 'scipy', 'sklearn'}"
    program = f"{statement}\nimport sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_light_start_check_can_fail():
    program = "import scipy, sys; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "True\n"
