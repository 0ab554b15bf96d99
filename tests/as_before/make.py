"""Make the fixtures of this folder anew, or hold the numbers of today against them.

    python -m tests.as_before.make                 make all, but for the demonstration's
    python -m tests.as_before.make --words         only read the stores that are there again
    python -m tests.as_before.make --demo          make the demonstration's table and document
    python -m tests.as_before.make --check         train all anew: every digit as it was?
    python -m tests.as_before.make --check-demo    the same of the demonstration, 1,000 networks

The checks print what differs and end with status 1 where anything does. They are for the machine
that made the fixtures: the last digits of a training go with the processor. The tests in this
folder train little, and hold what is read, printed and decided.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.as_before import commands, holdings, modules, trainings, trials, verdicts
from tests.as_before.differing import SHOWN, differences
from tests.as_before.kept import (
    EXPECTED,
    EXPORTS,
    NAMES,
    STORES,
    copied,
    expected,
    made_small,
    processor,
    run_ids,
    write,
)
from undertow.trace.export import export
from undertow.trace.store.reader import open as open_store

TRAINED: dict[str, Callable[[Path], None]] = {
    "lanes": trainings.lanes,
    "torch": trainings.torch_,
    "watched": trainings.watched,
    "interrupted": trainings.interrupted,
    "atlas": trainings.atlas,
}
EXPORTED = ("lanes", "relu")  # a store, and an arm of it
DEMO = ("run", "moons")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    group = parser.add_mutually_exclusive_group()
    for name in ("words", "demo", "check", "check-demo"):
        group.add_argument(f"--{name}", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.check or chosen.check_demo:
        found = check() if chosen.check else check_demo()
        print("\n".join(found[: 10 * SHOWN]) or "every digit as before")
        sys.exit(1 if found else 0)
    if chosen.demo:
        write(EXPECTED / "demo.json", demo())
        return
    if not chosen.words:
        make_stores(STORES)
    make_words()


def make_stores(folder: Path) -> None:
    """Train every store."""
    folder.mkdir(exist_ok=True)
    for name, train in TRAINED.items():
        path = folder / f"{name}.db"
        for old in folder.glob(f"{name}.db*"):
            old.unlink()
        train(path)
        made_small(path)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


def make_words() -> None:
    """Keep what is read, printed, exported and decided now."""
    write(EXPECTED / "processor.json", processor())
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name in NAMES:
            write(EXPECTED / f"holds-{name}.json", holdings.store(copied(name, folder)))
        exported(EXPORTS)
        write(EXPECTED / "netcdf.json", holdings.netcdf(EXPORTS / "run.nc"))
        write(EXPECTED / "verdicts.json", decided())
    for name in commands.COMMANDS:
        with tempfile.TemporaryDirectory() as made:
            write(EXPECTED / "printed" / f"{name}.json", commands.printed(name, Path(made)))
    write(EXPECTED / "addresses.json", addresses())
    write(EXPECTED / "modules.json", {start: modules.loaded(start) for start in modules.STARTS})


def exported(folder: Path) -> None:
    """Export a run as `run.nc` and `run.csv`."""
    folder.mkdir(exist_ok=True)
    store, arm = EXPORTED
    with tempfile.TemporaryDirectory() as made:
        path = copied(store, Path(made))
        with open_store(path) as opened:
            trace = opened.trace(run_ids(path)[arm])
    for ending in ("nc", "csv"):
        export(trace, folder / f"run.{ending}")


def addresses() -> dict[str, Any]:
    """Describe the addresses, with the numbers of three first steps."""
    return {
        "presets": trials.presets(),
        "read": {name: trials.described(address) for name, address in trials.THREE.items()},
        "first_steps": {name: trials.measured(address) for name, address in trials.THREE.items()},
    }


def decided() -> dict[str, Any]:
    """Diagnose the six nets and forty cases of the zoo."""
    found = {}
    for name in verdicts.CASES:
        with tempfile.TemporaryDirectory() as folder:
            found[name] = verdicts.case(name, Path(folder))
    return {"six nets": verdicts.six_nets(), "zoo": found}


def demo() -> dict[str, Any]:
    """Train the demonstration; return its document, and the table and report of `make demo`.

    They are made of the store, so that the table's last line says nothing of seconds.
    """
    with tempfile.TemporaryDirectory() as made:
        store = Path(made) / "demo.db"
        _, text, _ = commands.heard([*DEMO, "--json", "--store", store.name], store.parent)
        found = commands.answer([*DEMO, "--report", "page.html"], store)
    return {"document": commands.document(text), **found}


def check() -> list[str]:
    """Train every store and net anew, and say what is other than before."""
    found = []
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as read:
        folder = Path(made)
        make_stores(folder)
        for name in NAMES:
            now = holdings.lasting(holdings.store(copied(name, Path(read), folder)))
            before = holdings.lasting(expected(f"holds-{name}"))
            found += [f"{name}: {line}" for line in differences(before, now)]
    before = expected("addresses")
    found += [f"addresses: {line}" for line in differences(before, addresses())]
    found += [f"verdicts: {line}" for line in differences(expected("verdicts"), decided())]
    return found


def check_demo() -> list[str]:
    """Train the demonstration anew, and say what is other than before."""
    return differences(expected("demo"), demo())


if __name__ == "__main__":
    main()
