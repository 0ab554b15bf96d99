"""How long the program takes to begin: medians of fresh processes, less a bare Python's.

python -m bench.training.start
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

ROUNDS = 15
CASES = {
    "python, nothing imported": ["-c", "pass"],
    "import undertow (target .15 s above it)": ["-c", "import undertow"],
    "undertow --help (target 1 s)": ["-m", "undertow.app.cli.main", "--help"],
}


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, words in CASES.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
            seconds[name].append(time.perf_counter() - start)
    bare = median(seconds["python, nothing imported"])
    for name, taken in seconds.items():
        print(f"{name:<42}{median(taken):>8.3f} s{median(taken) - bare:>+9.3f} s")


if __name__ == "__main__":
    main()
