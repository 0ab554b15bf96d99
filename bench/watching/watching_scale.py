"""How the cost of watching grows: with layers, with the batch, and with the length of a run.

    python -m bench.watching.watching_scale            some minutes
    python -m bench.watching.watching_scale --quick    does it still run? Not for decisions

In the first two parts every step is recorded, and seconds are medians over steps: `more` is what a
watched step takes more than the bare one beside it, `own` what `ut.watch` says it took. The third
trains nothing: it puts a run of seven hours through the schedule and into a store, a million steps
of made-up numbers on a made-up clock.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import torch
from torch import nn

from bench.watching.overhead import layers
from bench.watching.pairs import Contender, Training, bare, paired, training, watched
from undertow.trace.record import Header, Layer, provenance
from undertow.trace.sinks.store import StoreFile
from undertow.watching.core import recorder
from undertow.watching.core.rows import StepRow
from undertow.watching.core.schedule import Schedule

RECORDS = ("gradients", "everything")
LAYERS = {200: 100, 2_000: 30, 10_000: 12}  # and how many pairs of steps
BATCHES = {8: 300, 128: 300, 2048: 60}
QUICK = 4  # pairs
FIRST = 2  # steps that are not counted: the first one looks at the layers
SAME = 1.5  # a figure that is more than so many times the first of its kind has grown

# The long run: seven hours of 25 ms a step.
STEPS, STEP_SECONDS, RUN_LAYERS, LIMIT = 1_000_000, 0.025, 100, 256_000_000
RECORD_SECONDS = 0.002
PER_LAYER = (
    "grad_norm",
    "grad_mean_abs",
    "nonfinite",
    "weight_norm",
    "update_norm",
    "update_norm_se",
    "delta_norm",
    "preactivation_rms",
    "activation_rms",
    "slope_rms",
    "saturated_fraction",
    "dead_fraction",
)
PER_STEP = ("loss", "learning_rate", "input_rms", "overhead")


class Cost(NamedTuple):
    """Seconds of a bare step, and of what recording adds: measured, and by the own account."""

    bare: float
    more: float
    own: float


def thin(count: int) -> Training:
    """Return layers of eight units that hand everything on: no depth makes a norm die out."""
    torch.manual_seed(0)
    found: list[nn.Module] = []
    for _ in range(count):
        linear = nn.Linear(8, 8)
        nn.init.eye_(linear.weight)
        nn.init.zeros_(linear.bias)
        found += [linear, nn.ReLU()]
    model = nn.Sequential(*found)
    batches = [(torch.rand(8, 8), torch.randint(8, (8,))) for _ in range(8)]
    return training(model, torch.optim.SGD(model.parameters(), lr=1e-6), batches)


def cost(build: Callable[[], Training], record: str, pairs: int) -> Cost:
    """Measure a recorded step, beside a bare one and alone.

    Alone, because the watcher's clock runs on while another copy takes its step.
    """
    way = watched(record=record, every=1)
    with bare(build()) as one, way(build()) as other:
        found = paired(other, one, FIRST + pairs)
    with way(build()) as other:
        seconds = np.array([timed(other) for _ in range(FIRST + pairs)])
        shares = other.watcher.trace().to_xarray()["overhead"].values
    if len(shares) != FIRST + pairs:
        raise SystemExit(f"{len(shares)} steps are recorded, not all {FIRST + pairs}")
    return Cost(
        float(np.median(found.bare[FIRST:])),
        float(np.median((found.watched - found.bare)[FIRST:])),
        float(np.median((seconds * shares / (1 + shares))[FIRST:])),
    )


def timed(contender: Contender) -> float:
    start = time.perf_counter()
    contender.step()
    return time.perf_counter() - start


class Run(NamedTuple):
    """What a long run left behind."""

    recorded: int
    interval: int  # between the last two that were recorded
    size: int


def long_run(every: int | str, steps: int) -> Run:
    """Let a schedule pick the steps of a run, and a recorder keep made-up rows of them."""
    numbers = np.random.default_rng(0)
    linear = [f"layers.{place}.linear" for place in range(RUN_LAYERS)]
    layers = [Layer(name, 1 + i, "linear", "relu", 128, 128) for i, name in enumerate(linear)]
    header = Header(tuple(layers), (0,), provenance("watched"))
    schedule = Schedule(every, 0.02, LIMIT)
    now, due, taken = 0.0, 1, [0]

    def clock() -> float:
        return now

    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(recorder, "monotonic", clock),
    ):
        keeper = StoreFile(Path(folder) / "run.db", "run", new=True)
        kept = recorder.Recorder(header, keeper, dtype=np.dtype("f4"))
        for step in range(1, steps + 1):
            now += STEP_SECONDS
            row = made_up(step, numbers) if step >= due else None
            if row:
                kept.put(row)
                taken.append(step)
                if kept._job:
                    kept._job.result()  # a training would leave the thread time to write
            schedule.took(
                step,
                STEP_SECONDS,
                RECORD_SECONDS if row else 0.0,
                recorded=row is not None,
                size=kept.size,
            )
            due = schedule.next(step)
        kept.finish("finished", header)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    return Run(len(taken) - 1, taken[-1] - taken[-2], size)


def made_up(step: int, numbers: np.random.Generator) -> StepRow:
    """Return a row as a float32 model makes it, of numbers that hardly pack."""
    of_layers = np.exp(numbers.normal(size=(len(PER_LAYER), RUN_LAYERS))).astype(np.float32)
    of_step = np.exp(numbers.normal(size=len(PER_STEP)))
    values = dict(zip(PER_LAYER, of_layers, strict=True))
    return StepRow(step, 1, values | dict(zip(PER_STEP, of_step.tolist(), strict=True)))


def by_layers(quick: bool) -> None:
    print(f"{'thin layers, batch 8':<24}{'ms bare':>10}{'ms more':>10}{'ms own':>10}", end="")
    print(f"{'µs a layer':>12}{'to the first':>14}")
    for record in RECORDS:
        first = None
        for count, pairs in LAYERS.items():
            found = cost(lambda count=count: thin(count), record, QUICK if quick else pairs)
            a_layer = found.more / count
            first = first or a_layer
            print(f"  {record:<12}{count:>10,}{milliseconds(found)}{1e6 * a_layer:>12.2f}", end="")
            print(f"{same(a_layer / first):>14}", flush=True)


def by_batch(quick: bool) -> None:
    print(f"\n{'20 layers of 128':<24}{'ms bare':>10}{'ms more':>10}{'ms own':>10}", end="")
    print(f"{'':>12}{'to the first':>14}")
    first = None
    for batch, pairs in BATCHES.items():
        found = cost(
            lambda batch=batch: layers(20, 128, batch), "gradients", QUICK if quick else pairs
        )
        first = first or found.own
        print(f"  {'gradients':<12}{batch:>10,}{milliseconds(found)}", end="")
        # Of a long step `more` is a small difference of large numbers: `own` is judged.
        print(f"{'':>12}{same(found.own / first):>14}", flush=True)


def by_length(quick: bool) -> None:
    steps = STEPS // 50 if quick else STEPS
    print(f"\n{f'{steps:,} steps of {RUN_LAYERS} layers':<34}{'recorded':>10}", end="")
    print(f"{'last interval':>15}{'MB':>9}{'of the limit':>15}")
    for every in (1, "auto"):
        found = long_run(every, steps)
        word = "met" if found.size <= LIMIT else "missed"
        print(f"  {f'every={every!r}':<32}{found.recorded:>10,}{found.interval:>15,}", end="")
        print(f"{found.size / 1e6:>9.1f}{found.size / LIMIT:>8.1%} {word}", flush=True)


def milliseconds(found: Cost) -> str:
    return "".join(f"{1e3 * seconds:>10.3f}" for seconds in found)


def same(ratio: float) -> str:
    return f"{ratio:.2f} {'met' if ratio <= SAME else 'missed'}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} pairs")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    print(
        f"torch {torch.__version__}; met: within a factor of {SAME} of the first line of its kind"
    )
    if quick:
        print("too short a run to judge the targets by")
    by_layers(quick)
    by_batch(quick)
    by_length(quick)


if __name__ == "__main__":
    main()
