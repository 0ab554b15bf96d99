"""The library under AddressSanitizer and UndefinedBehaviorSanitizer: no stray read, no overflow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "src/undertow/engine/lanes/native"
SANITIZED = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
FLAGS = ["-std=c++17", "-ffp-contract=fast", "-Wno-psabi", "-pthread"]
COMPILER = shutil.which("g++")

pytestmark = pytest.mark.skipif(
    COMPILER is None or not sys.platform.startswith("linux"), reason="needs g++ on Linux"
)


def ran(folder: Path, source: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    program = folder / "driver"
    command = [str(COMPILER), *FLAGS, *SANITIZED, f"-I{NATIVE}", *flags, str(source)]
    subprocess.run([*command, "-o", str(program)], check=True)
    # The sanitizer's own look for leaks needs to trace the process, which a sandbox may forbid.
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}
    return subprocess.run([str(program)], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("flags", [[], ["-march=native"]], ids=["plain", "this processor"])
def test_every_kind_of_network_trains_cleanly(tmp_path: Path, flags: list[str]) -> None:
    done = ran(tmp_path, Path(__file__).with_name("lanes_driver.cpp"), *flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "792 trainings\n"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("int* four = new int[4]; return memcmp(four, four + count, 16);", "heap-buffer-overflow"),
        ("return 2147483647 + count;", "signed integer overflow"),
    ],
    ids=["address", "undefined"],
)
def test_the_sanitizers_can_fail(tmp_path: Path, fault: str, said: str) -> None:
    source = tmp_path / "fault.cpp"
    source.write_text(f"#include <cstring>\nint main(int count, char**) {{ {fault} }}\n")
    done = ran(tmp_path, source)
    assert done.returncode != 0
    assert said in done.stderr
