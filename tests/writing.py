"""Another process that writes a run, a step at a time as it is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Writes a step for each number that it is told, and answers when it is in the store.
WRITER = """
import sys
import numpy as np
import undertow as ut
from undertow.trace.record import Chunk, Event, Header, Layer, provenance

path, run = sys.argv[1:]
names = ("encoder.[bold]0[/]", "two\\x1b]0;owned\\x07", "head")
layers = tuple(Layer(name, place, "linear", "relu", 2, 2) for place, name in enumerate(names, 1))
with ut.open(path, create=True) as store:
    writer = store.begin(run, run, run, Header(layers, (0,), provenance("watched")))
    print("begun", flush=True)
    for word in sys.stdin:
        if word.strip() == "end":
            writer.finish(events=(Event("clipped", 3, None, 0, "factor 0.25"),))
        else:
            step = int(word)
            numbers = {"grad_norm": np.array([[[1e-6, np.nan, 1.0]]]) * step}
            numbers |= {"nonfinite": np.array([[[0.0, 7.0, 0.0]]]), "loss": np.array([[1 / step]])}
            writer.append(0, Chunk(np.array([step]), np.array([1]), numbers))
            writer.flush()
        print("done", flush=True)
"""


class Writing:
    """A process that writes a run, a step at a time as it is told."""

    def __init__(self, path: Path, run: str):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), run],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.hear("begun")

    def tell(self, word: int | str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        self.hear("done")

    def hear(self, word: str) -> None:
        assert self.process.stdout
        assert self.process.stdout.readline() == f"{word}\n"

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
