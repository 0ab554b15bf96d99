"""Which files are collected: doctests of a framework's files only where it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

# Folder below src/undertow -> the framework that its files import.
FRAMEWORKS = {"watching/torch": "torch", "engine": "torch", "executors": "torch"}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what cannot be imported here; say nothing of all else."""
    source = Path(__file__).parent / "src" / "undertow"
    if not collection_path.is_relative_to(source):
        return None
    name = collection_path.relative_to(source).as_posix()
    for folder, framework in FRAMEWORKS.items():
        if (name == folder or name.startswith(f"{folder}/")) and find_spec(framework) is None:
            return True
    return None
