"""The house rules: data flows one way, frameworks stay in their rooms, files stay short."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
SOURCE = TESTS.parent / "src" / "undertow"

# From the top of the list down; a room imports only from rooms above it.
ROOMS = [
    "errors",
    "files",
    "numerals",
    "activations",
    "spec",
    "statistics",
    "theory",
    "trace",
    "data",
    "remedies",
    "diagnosis",
    "prediction",
    "explanation",
    "watching",
    "engine",
    "executors",
    "curing",
    "studies",
    "experiments",
    "show",
    "verbs",
    "app",
    "sinks",
]
# The same inside a room: a folder imports only from folders above it.
FLOORS = {
    "theory": ["arguments", "gaussian", "signal", "batch", "finite_width"],
    "watching": ["core", "torch"],
    "engine": ["common", "engine", "torch", "lanes", "choice"],
    "experiments": ["claims"],
    "app": ["pages", "server", "cli"],
}
FRAMEWORKS = {"torch", "keras", "tensorflow", "jax"}
FRAMEWORK_ROOMS = ("engine/", "watching/torch/", "curing/")
FRAMEWORK_FILES = {
    "prediction/from_torch.py",
    "prediction/torch_layers.py",
    "prediction/torch_pictures.py",
}
LONGEST = 400
LARGEST = 0.15  # of all lines, in one room
# Rooms of many files of one kind: their docstring tells the kind, and one more needs no line.
DISCOVERED = {"activations", "data/sets", "diagnosis/rules", "experiments/claims", "remedies"}
DISCOVERED |= {"trace/sinks"}
# Names with an underscore that a test may use: they are public, or not ours to make public.
OPEN = {"_asdict", "_fields", "_make", "_replace"}  # of a NamedTuple
OPEN |= {"_backward_hooks", "_forward_hooks", "_forward_pre_hooks"}  # of torch
OPEN |= {"_post_accumulate_grad_hooks", "_version"}  # of torch
OPEN |= {"_opener", "_exit"}  # of urllib.request, of os
# What takes the name of an attribute as a string: builtins, pytest's and unittest's patching.
REACHES = {"delattr", "getattr", "hasattr", "setattr", "attrgetter", "patch", "object"}
PATH = re.compile(r"[A-Za-z_][\w.]*")


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def python_files(source: Path) -> dict[str, Path]:
    """Every file of the package by its name below `source`."""
    return {path.relative_to(source).as_posix(): path for path in sorted(source.rglob("*.py"))}


def faults(source: Path) -> list[str]:
    """Arrows that run up a list of rooms or floors, and frameworks out of their rooms."""
    found = set()
    for name, path in python_files(source).items():
        room, *rest = name.removesuffix(".py").split("/")
        if room == "__init__":
            continue
        floors = FLOORS.get(room, [])
        here = rest[0] if rest else ""
        for module in imported(path):
            parts = module.split(".")
            at_home = name.startswith(FRAMEWORK_ROOMS) or name in FRAMEWORK_FILES
            if parts[0] in FRAMEWORKS and not at_home:
                found.add(f"{name} names {parts[0]}")
            if parts[0] != "undertow" or len(parts) < 2:
                continue
            other, there = parts[1], parts[2] if len(parts) > 2 else ""
            if other in ROOMS and ROOMS.index(other) > ROOMS.index(room):
                found.add(f"{name} imports {other}, a room below it")
            is_inside = other == room and there in floors and here in floors
            if is_inside and floors.index(there) > floors.index(here):
                found.add(f"{name} imports {there}, a floor below it")
    return sorted(found)


def circles(source: Path) -> list[list[str]]:
    """Files that import one another, directly or by way of others."""
    files = {
        "undertow." + name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
        for name, path in python_files(source).items()
        if name != "__init__.py"
    }
    graph = {
        module: [other for other in imported(path) if other in files and other != module]
        for module, path in files.items()
    }
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        return [sorted(set(error.args[1]))]
    return []


def left_out(source: Path) -> list[str]:
    """Files and folders that the docstring of their own folder does not name."""
    found = []
    for index in sorted(source.rglob("__init__.py")):
        folder = index.parent
        where = folder.relative_to(source).as_posix()
        words = set(re.findall(r"[\w]+", ast.get_docstring(ast.parse(index.read_text())) or ""))
        for path in sorted(folder.iterdir()):
            is_room = (path / "__init__.py").exists()
            if (path.suffix != ".py" and not is_room) or path.name.startswith("__"):
                continue
            if path.stem not in words and where not in DISCOVERED:
                found.append(path.relative_to(source).as_posix())
    return found


def private(path: str) -> bool:
    """Tell whether a dotted path has a name in it with one leading underscore."""
    return any(re.match("_[^_]", part) and part not in OPEN for part in path.split("."))


def own(tree: ast.AST) -> set[str]:
    """Names that a program's classes give to themselves."""
    nodes = list(ast.walk(tree))
    methods = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    stored = [node for node in nodes if isinstance(node, ast.Attribute | ast.Name)]
    stored = [node for node in stored if isinstance(node.ctx, ast.Store)]
    return methods | {node.attr if isinstance(node, ast.Attribute) else node.id for node in stored}


def reached(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every private name that a program reads, imports or patches, with its line.

    What its own classes have of `self` or `cls` is no fault. A program of several lines in a
    string, to be run by another process, is looked into as well.
    """
    names_of_its_own = own(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ast.Name("self" | "cls"), name) if name in names_of_its_own:
                pass
            case ast.Attribute(attr=name) if private(name):
                yield node.lineno, name
            case ast.Import(names) | ast.ImportFrom(names=names):
                paths = [alias.name for alias in names]
                if isinstance(node, ast.ImportFrom):
                    paths.append(node.module or "")
                yield from ((node.lineno, path) for path in paths if private(path))
            case ast.Call(ast.Name(called) | ast.Attribute(attr=called), arguments, keywords):
                values = [*arguments, *(keyword.value for keyword in keywords)]
                words = [word.value for word in values if isinstance(word, ast.Constant)]
                paths = [word for word in words if isinstance(word, str) and PATH.fullmatch(word)]
                if called in REACHES:
                    yield from ((node.lineno, path) for path in paths if private(path))
            case ast.Constant(str(text)) if "import " in text and "\n" in text:
                with suppress(SyntaxError):
                    yield from ((node.lineno, name) for _, name in reached(ast.parse(text)))


def reaches(tests: Path) -> list[str]:
    """Name the lines of tests that reach into what is private."""
    return [
        f"{path.relative_to(tests).as_posix()}:{line} reaches {name}"
        for path in sorted(tests.rglob("*.py"))
        for line, name in sorted(reached(ast.parse(path.read_text())))
    ]


def rooms(source: Path) -> Counter[str]:
    """Lines of each room; a folder in a room that has folders is a room of its own."""
    lines: Counter[str] = Counter()
    for name, path in python_files(source).items():
        lines["/".join(name.split("/")[:-1][:2]) or name] += len(path.read_text().splitlines())
    return lines


def test_data_flows_one_way():
    assert faults(SOURCE) == []


def test_no_files_import_one_another():
    assert circles(SOURCE) == []


@pytest.mark.parametrize(
    ("file", "line", "fault"),
    [
        ("trace/bad.py", "import undertow.engine.choice", "imports engine, a room below it"),
        ("statistics/bad.py", "from undertow.app import cli", "imports app, a room below it"),
        ("show/bad.py", "def f():\n    import torch", "names torch"),
        (
            "watching/core/bad.py",
            "from undertow.watching.torch import norms",
            "imports torch, a floor below it",
        ),
        ("watching/core/bad.py", "import torch", "names torch"),
        ("executors/bad.py", "import torch", "names torch"),
    ],
)
def test_the_check_can_fail(tmp_path: Path, file: str, line: str, fault: str):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(line)
    assert faults(tmp_path) == [f"{file} {fault}"]


def test_the_check_of_circles_can_fail(tmp_path: Path):
    (tmp_path / "trace").mkdir()
    for name, other in (("one", "two"), ("two", "three"), ("three", "one")):
        line = f"if TYPE_CHECKING:\n    from undertow.trace.{other} import x"
        (tmp_path / "trace" / f"{name}.py").write_text(line)
    assert circles(tmp_path) == [[f"undertow.trace.{name}" for name in ("one", "three", "two")]]


def test_every_room_is_on_the_list():
    found = {path.stem for path in SOURCE.iterdir() if not path.name.startswith("__")}
    assert found - {"py"} <= set(ROOMS)


def test_every_folder_says_what_is_in_it():
    assert left_out(SOURCE) == []


def test_the_check_of_folders_can_fail(tmp_path: Path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "__init__.py").write_text('"""A room: one, inner/."""')
    (tmp_path / "inner" / "__init__.py").write_text('"""Nothing is named."""')
    for name in ("one.py", "two.py", "inner/three.py"):
        (tmp_path / name).write_text("")
    assert left_out(tmp_path) == ["two.py", "inner/three.py"]


def test_no_room_is_most_of_the_house():
    lines = rooms(SOURCE)
    total = sum(lines.values())
    assert {room for room, count in lines.items() if count > LARGEST * total} == set()


def test_the_check_of_sizes_can_fail(tmp_path: Path):
    for name, count in (("one/a.py", 3), ("two/a/b.py", 2), ("two/a/c/d.py", 2), ("two/b.py", 1)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x\n" * count)
    assert rooms(tmp_path) == {"one": 3, "two/a": 4, "two": 1}


def test_no_file_is_too_long():
    lengths = {path.name: len(path.read_text().splitlines()) for path in SOURCE.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_no_test_reaches_into_what_is_private():
    assert reaches(TESTS) == []


PROGRAM = "\n".join(["import undertow", "undertow.open('a')._all('SELECT 1')"])


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("w._guard.failure", "_guard"),
        ("self.watch._guard", "_guard"),
        ("self._guard", "_guard"),
        ("from undertow.trace.store.reader import _chunks", "_chunks"),
        ("from undertow.trace._store import reader", "undertow.trace._store"),
        ("import undertow._trace", "undertow._trace"),
        ("monkeypatch.setattr(estimate, '_kind', None)", "_kind"),
        ("mock.patch('undertow.studies.estimate._kind')", "undertow.studies.estimate._kind"),
        ("mock.patch.object(estimate, attribute='_kind')", "_kind"),
        ("getattr(store, '_all')('SELECT 1')", "_all"),
        (f"PROGRAM = {PROGRAM!r}", "_all"),
    ],
)
def test_the_check_of_private_names_can_fail(tmp_path: Path, line: str, name: str):
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms" / "test_bad.py").write_text(f"def test():\n    {line}\n")
    assert reaches(tmp_path) == [f"rooms/test_bad.py:2 reaches {name}"]


@pytest.mark.parametrize(
    "line",
    [
        "self._seen = cls._seen",
        "class A:\n    _seen = 0\n    def f(self): return self._seen + self._f()\n    def _f(_): 0",
        "row._replace(depth=row._asdict()['depth'])",
        "module.__dict__ | undertow.__version__",
        "model._forward_hooks",
        "'a _word'.split('_')",
    ],
)
def test_what_is_a_tests_own_or_public_is_no_fault(tmp_path: Path, line: str):
    (tmp_path / "test_good.py").write_text(f"from __future__ import annotations\n{line}\n")
    assert reaches(tmp_path) == []


@pytest.mark.parametrize(
    "statement",
    ["import undertow", "import undertow.app.cli.main", "import undertow; undertow.NetworkSpec"],
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
