"""How long a prediction takes, which the first picture of the playground waits for.

    OMP_NUM_THREADS=1 python -m bench.training.theory [--rounds 5]

Every preset and its twists, as the playground asks for them.
"""

from __future__ import annotations

import argparse
import statistics
import time

from undertow.data.dataset import Data
from undertow.data.toy import make_samples
from undertow.experiments.presets import PRESETS
from undertow.spec.trial import Trial
from undertow.studies.expected import predict_arm

ASKED = 0.3  # seconds


def main() -> None:
    """Measure, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    slowest = 0.0
    for each in PRESETS:
        for name, trial in (("", each.trial), *each.twists):
            data = make_samples(trial.data)
            took = statistics.median(seconds(trial, data) for _ in range(rounds))
            slowest = max(slowest, took)
            print(f"{each.number:2d} {each.name + ' ' + name:45.45s} {took:8.3f} s")
    print(f"slowest {slowest:.3f} s (asked for: under {ASKED})")


def seconds(trial: Trial, data: Data) -> float:
    """Time one prediction."""
    start = time.perf_counter()
    predict_arm(trial.network, trial.training, data)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
