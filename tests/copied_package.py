"""A copy of the package, to which a test adds files, and programs that run on the copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import undertow

# An editable install finds the package before any path does; Python runs this file at each start,
# in the workers of a run too.
START = """
import sys
sys.meta_path[:] = [each for each in sys.meta_path if "ScikitBuild" not in type(each).__name__]
"""


def copied_package(folder: Path) -> Path:
    """Copy the package into a folder, and return the copy."""
    copy = folder / "undertow"
    shutil.copytree(
        Path(undertow.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "sitecustomize.py").write_text(START)
    return copy


def ran(
    folder: Path,
    program: str,
    *words: str,
    exits: tuple[int, ...] = (0,),
    place: Path | None = None,
) -> str:
    """Run a program on the copy in a folder, there or in another place; return what it prints.

    Raises
    ------
    CalledProcessError
        It ends with another status than one of `exits`.
    """
    here = f"import undertow; assert undertow.__file__.startswith({str(folder)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", here + program, *words],
        cwd=place or folder,
        env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode not in exits:
        raise subprocess.CalledProcessError(
            done.returncode, program, output=done.stdout, stderr=done.stderr
        )
    return done.stdout


def commanded(folder: Path, *words: str, exits: tuple[int, ...] = (0,)) -> str:
    """Run a command of the copy's command line."""
    return ran(folder, "from undertow.app.cli.main import main; main()", *words, exits=exits)
