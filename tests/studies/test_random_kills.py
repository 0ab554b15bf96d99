"""A study killed ten times at random moments ends with the numbers of one that was left alone."""

from __future__ import annotations

import os
import pty
import random
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import undertow as ut

UNDERTOW = Path(sysconfig.get_path("scripts")) / "undertow"
# LONGEST: bytes of a progress bar, about a second of training on a machine with nothing else to do.
KILLS, LONGEST = 10, 1800
ARMS = ("sigmoid", "relu", "tanh")
WORDS = ["run", "moons", "--replicates", "2", "--epochs", "1000", "--workers", "1"]


def command(store: str) -> list[str]:
    return [str(UNDERTOW), *WORDS, *(word for arm in ARMS for word in ("--arm", arm)), store]


def killed(folder: Path, after: int) -> bool:
    """SIGKILL once the progress bar has written so many bytes, or tells of the last arm.

    A busy machine trains on between two writes: without the second it would often be through.
    False if it had ended all the same.
    """
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command("--store=killed.db"), cwd=folder, stdout=subprocess.DEVNULL, stderr=slave
    )
    os.close(slave)
    seen = b""
    try:
        while len(seen) < after and ARMS[-1].encode() not in seen and process.poll() is None:
            seen += os.read(master, 256)
    except OSError:  # the program has closed its end
        pass
    process.kill()
    os.close(master)
    return process.wait() != 0


def traces(path: Path) -> dict[str, ut.Trace]:
    with ut.open(path) as store:
        assert all(run.state == "finished" for run in store.runs())
        return {str(run.attributes["arm"]): store.trace(run.id) for run in store.runs()}


def test_ten_kills_change_no_bit(tmp_path: Path) -> None:
    moments = random.Random(7)
    lived = [killed(tmp_path, moments.randrange(1, LONGEST)) for _ in range(KILLS)]
    assert sum(lived) >= 8  # so many were really stopped on the way
    for store in ("killed.db", "alone.db"):
        subprocess.run(
            command(f"--store={store}"), cwd=tmp_path, check=True, stdout=subprocess.DEVNULL
        )
    found, expected = traces(tmp_path / "killed.db"), traces(tmp_path / "alone.db")
    assert set(found) == set(expected) == set(ARMS)
    for arm in ARMS:
        compare(found[arm], expected[arm])
    with pytest.raises(AssertionError):
        compare(found["relu"], expected["tanh"])


def compare(found: ut.Trace, expected: ut.Trace) -> None:
    assert set(found.dataset) == set(expected.dataset)
    for name in expected.dataset:
        assert np.array_equal(found.dataset[name], expected.dataset[name], equal_nan=True), name
    for name, artefact in expected.artefacts.items():
        assert np.array_equal(found.artefacts[name], artefact, equal_nan=True), name
