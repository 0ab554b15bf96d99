"""How many modules are loaded by `import undertow` and by `undertow --help`."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

# What a bare interpreter has loaded, the hooks of installed packages among it, is not counted.
_PROGRAM = """
import contextlib, io, json, sys
bare = set(sys.modules)
{}
print(json.dumps(sorted(set(sys.modules) - bare)))
"""
_HELP = """
from importlib.metadata import entry_points
(program,) = entry_points(group="console_scripts", name="undertow")
sys.argv = ["undertow", "--help"]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    program.load()()
"""
STARTS = {"import undertow": "import undertow", "undertow --help": _HELP}


def loaded(start: str) -> dict[str, Any]:
    """Count what a start loads: ours, others', all; and name the packages of others."""
    return counted(STARTS[start])


def counted(statements: str) -> dict[str, Any]:
    """Count what statements load, in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(statements)],
        capture_output=True,
        text=True,
        check=True,
    )
    names = json.loads(done.stdout)
    packages = [name.split(".")[0] for name in names]
    ours = sum(package == "undertow" for package in packages)
    others = [
        package
        for package in packages
        if package != "undertow" and package not in sys.stdlib_module_names
    ]
    return {
        "undertow": ours,
        "others": len(others),
        "standard_library_too": len(names) - ours,
        "packages": sorted(set(others)),
    }


def grown(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Say what is loaded now that was not before; our own modules may become more."""
    found = [f"{each} is loaded" for each in now["packages"] if each not in before["packages"]]
    if now["others"] > before["others"]:
        found.append(f"{now['others']} modules of others, before {before['others']}")
    return found
