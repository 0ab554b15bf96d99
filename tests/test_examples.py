"""What another room imports begins with one line that says what one gets, then an example."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "undertow"

# Definitions that still lack one. This list shrinks; nothing is added to it.
WANTED = {
    "executors/jobs.py Job",
    "executors/jobs.py Part",
    "executors/jobs.py join_jobs",
    "executors/processes.py cores",
    "executors/processes.py seconds_of",
    "executors/processes.py workers_for",
    "studies/atlas.py run",
    "studies/study.py Planned",
    "studies/study.py run",
    "studies/trial.py TrialStopped",
    "studies/trial.py train_trial",
    "verbs/arms.py diagnose_and_explain",
    "verbs/atlas.py atlas",
    "verbs/critical.py critical_document",
    "verbs/critical.py critical_words",
    "verbs/diagnose.py diagnose_named",
    "verbs/explain.py explain_named",
    "verbs/predict.py predict_document",
    "verbs/report.py check_report",
    "verbs/report.py report",
}


def as_module(name: str) -> str:
    """Return the module that a file below the package is."""
    path = name.removesuffix(".py").removesuffix("__init__").strip("/")
    return ".".join(["undertow", *path.split("/")] if path else ["undertow"])


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """Return what `a.b.c` in a program stands for, where `names` says what `a` does; else ""."""
    match node:
        case ast.Name(name):
            return names.get(name, "")
        case ast.Attribute(value, attr):
            return f"{found}.{attr}" if (found := dotted(value, names)) else ""
    return ""


def used(tree: ast.Module) -> Iterator[str]:
    """Every dotted name that a program imports, or reaches through a module that it imports."""
    names = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(aliases):
                for alias in aliases:
                    first = alias.name.partition(".")[0]
                    names[alias.asname or first] = alias.name if alias.asname else first
            case ast.ImportFrom(module=str(module), names=aliases):
                for alias in aliases:
                    names[alias.asname or alias.name] = f"{module}.{alias.name}"
                    yield f"{module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (found := dotted(node, names)):
            yield found


def begins_with_an_example(docstring: str) -> bool:
    """Tell whether a docstring's second paragraph is an example, and its first one line."""
    lines = docstring.splitlines()
    return len(lines) > 2 and bool(lines[0]) and not lines[1] and lines[2].startswith(">>> ")


def lacking(source: Path) -> list[str]:
    """Name the functions and classes that another room imports and that show no example at once.

    A room is a folder of the package, or a file beside the folders.
    """
    trees = {
        path.relative_to(source).as_posix(): ast.parse(path.read_text())
        for path in sorted(source.rglob("*.py"))
    }
    readers: dict[str, set[str]] = {}
    for name, tree in trees.items():
        for imported in used(tree):
            readers.setdefault(imported, set()).add(name.split("/")[0])
    found = []
    for name, tree in trees.items():
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            others = readers.get(f"{as_module(name)}.{node.name}", set()) - {name.split("/")[0]}
            if others and not begins_with_an_example(ast.get_docstring(node) or ""):
                found.append(f"{name} {node.name}")
    return found


def test_what_other_rooms_import_begins_with_an_example():
    assert [name for name in lacking(SOURCE) if name not in WANTED] == []


def test_what_has_its_example_is_wanted_no_more():
    assert WANTED - set(lacking(SOURCE)) == set()


GOOD = '"""Return the half.\n\n    >>> half(2)\n    1\n    """'
LATER = '"""Return the half.\n\n    Of what is given.\n\n    >>> half(2)\n    1\n    """'


@pytest.mark.parametrize(
    "docstring",
    [
        "pass",
        '"""Return the half."""',
        LATER,
        GOOD.replace("half.", "half\n    of it."),  # a first sentence of two lines
        GOOD.replace("\n\n", "\n", 1),
        GOOD.replace("Return the half.", ""),
        GOOD.replace(">>>", "..."),
    ],
)
@pytest.mark.parametrize("kind", ["def half(x):", "async def half(x):", "class half:"])
@pytest.mark.parametrize(
    "line",
    [
        "from undertow.numbers.parts import half",
        "def f():\n    from undertow.numbers.parts import half as divide",
        "if TYPE_CHECKING:\n    from undertow.numbers.parts import half",
        "from undertow.numbers import parts\nparts.half(2)",
        "from undertow.numbers import parts as pieces\ndef f(): pieces.half(2)",
        "import undertow.numbers.parts\nundertow.numbers.parts.half(2)",
        "import undertow.numbers.parts as pieces\npieces.half",
    ],
)
def test_the_check_can_fail(tmp_path: Path, docstring: str, kind: str, line: str):
    write(tmp_path, "numbers/parts.py", f"{kind}\n    {docstring}\n")
    write(tmp_path, "words/text.py", line)
    assert lacking(tmp_path) == ["numbers/parts.py half"]
    write(tmp_path, "numbers/parts.py", f"{kind}\n    {GOOD}\n")
    assert lacking(tmp_path) == []


@pytest.mark.parametrize(
    ("home", "reader", "line"),
    [
        ("numbers/parts.py", "numbers/whole.py", "from undertow.numbers.parts import half"),
        ("numbers/parts.py", "words/text.py", "from undertow.numbers.parts import third"),
        ("numbers/parts.py", "words/text.py", "import parts\nparts.half"),
    ],
)
def test_what_stays_in_its_room_may_go_without(tmp_path: Path, home: str, reader: str, line: str):
    write(tmp_path, home, "def half(x):\n    return x / 2\n")
    write(tmp_path, reader, line)
    assert lacking(tmp_path) == []


@pytest.mark.parametrize(
    ("home", "line"),
    [
        ("parts.py", "from undertow.parts import half"),  # a file is a room
        ("parts.py", "from undertow import parts\nparts.half"),
        ("numbers/__init__.py", "from undertow.numbers import half"),
        ("numbers/__init__.py", "from undertow import numbers\nnumbers.half"),
    ],
)
def test_files_and_folders_are_looked_into_alike(tmp_path: Path, home: str, line: str):
    write(tmp_path, home, "def half(x):\n    return x / 2\n")
    write(tmp_path, "words/text.py", line)
    assert lacking(tmp_path) == [f"{home} half"]


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
