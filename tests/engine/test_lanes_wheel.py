"""The wheel: one for every Python, with the library in it, or without where nothing compiles."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
MOST_BYTES = 500_000  # of what lanes add to a wheel
TRAIN = """
from undertow.engine import choice
from undertow.data.dataset import load
from undertow.spec.network import NetworkSpec; from undertow.spec.training import TrainingSpec
spec = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
chunks = []
choice.train(spec, TrainingSpec(epochs=1), load("moons"), range(9), chunks.append)
print(choice.choose_engine(spec, 9), chunks[0].arrays["grad_norm"].shape, choice.__file__)
"""


def built(folder: Path, **environment: str) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("undertow-*.whl")
    return wheel


def trained_from(wheel: Path, folder: Path) -> tuple[str, str]:
    """Install the wheel alone into a new environment, and train there without a compiler.

    What it depends on is lent by this environment.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-index", str(wheel)], check=True, capture_output=True)
    lent = {"PYTHONPATH": sysconfig.get_path("purelib"), "PATH": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(python), "-c", TRAIN], cwd=folder, env=lent, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    engine, _, file = done.stdout.strip().partition(" ")
    return engine, file


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a wheel for Linux")
def test_a_wheel_brings_lanes_to_a_machine_without_a_compiler(tmp_path: Path) -> None:
    wheel = built(tmp_path)
    assert "-py3-none-linux_" in wheel.name
    with ZipFile(wheel) as opened:
        sizes = {each.filename: each.compress_size for each in opened.infolist()}
    lanes = [name for name in sizes if name.startswith("undertow/engine/lanes/")]
    assert sum(sizes[name] for name in lanes) < MOST_BYTES
    assert "undertow/engine/lanes/lanes-plain.so" in lanes
    assert not [name for name in sizes if name.endswith((".cpp", ".h", ".a"))]
    assert "undertow/lessons/lesson_1_silence.py" in sizes
    engine, rest = trained_from(wheel, tmp_path / "clean")
    assert engine == "lanes"
    assert rest.startswith(f"(9, 7, 11) {tmp_path}")


def test_without_a_compiler_the_package_still_installs(tmp_path: Path) -> None:
    wheel = built(tmp_path, CXX=str(tmp_path / "no compiler here"))
    with ZipFile(wheel) as opened:
        names = opened.namelist()
    assert not [name for name in names if "/lanes-" in name]
    assert "undertow/engine/lanes/train.py" in names
    engine, rest = trained_from(wheel, tmp_path / "clean")
    assert engine == "torch"
    assert rest.startswith(f"(9, 7, 11) {tmp_path}")
