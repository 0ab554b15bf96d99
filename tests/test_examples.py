"""What another room imports begins with one line that says what one gets, then an example."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "undertow"


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


def typed_dicts(trees: dict[str, ast.Module]) -> set[str]:
    """Name the classes, as `module.Class`, that are a TypedDict or extend one of the package."""
    bases: dict[str, list[str]] = {}
    for name, tree in trees.items():
        module = as_module(name)
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        known = {node.name: f"{module}.{node.name}" for node in classes}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom):
                known |= {
                    each.asname or each.name: f"{node.module}.{each.name}" for each in node.names
                }
        for node in classes:
            bases[f"{module}.{node.name}"] = [dotted(base, known) for base in node.bases]
    found = {"typing.TypedDict", "typing_extensions.TypedDict"}
    while more := {name for name, above in bases.items() if found & set(above)} - found:
        found |= more
    return found


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
    # A document's shape has its keys and an example in docs/json.md.
    exempt = typed_dicts(trees)
    found = []
    for name, tree in trees.items():
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            whole = f"{as_module(name)}.{node.name}"
            others = readers.get(whole, set()) - {name.split("/")[0]}
            if (
                others
                and whole not in exempt
                and not begins_with_an_example(ast.get_docstring(node) or "")
            ):
                found.append(f"{name} {node.name}")
    return found


def test_what_other_rooms_import_begins_with_an_example():
    assert lacking(SOURCE) == []


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


@pytest.mark.parametrize("home", ["typing", "typing_extensions"])
def test_the_shape_of_a_document_may_go_without_and_a_plain_class_may_not(
    tmp_path: Path, home: str
):
    shapes = f"from {home} import TypedDict\nclass Whole(TypedDict): ...\nclass Plain: ...\n"
    write(tmp_path, "numbers/shapes.py", shapes)
    longer = "from undertow.numbers.shapes import Plain, Whole\n"
    write(tmp_path, "numbers/more.py", longer + "class More(Whole): ...\nclass Other(Plain): ...\n")
    reader = "from undertow.numbers.more import More, Other\n"
    write(tmp_path, "words/text.py", longer + reader)
    assert lacking(tmp_path) == ["numbers/more.py Other", "numbers/shapes.py Plain"]


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
