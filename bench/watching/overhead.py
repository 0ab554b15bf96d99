"""What watching costs a training: a watched and a bare copy of one net, step by step in turn.

    python -m bench.watching.overhead            1,000 pairs of steps, three times, of three nets
    python -m bench.watching.overhead --quick    30 pairs: does it still run? Not for decisions
    python -m bench.watching.overhead --peers    other monitors too, those that are installed

The first line of each net is the null control: two bare copies, nothing watched; half of its
interval is what the machine lets one tell. Every measurement is repeated with fresh copies, for
where a net lies in memory makes it a percent or two slower or faster. Means are of all seconds,
over the pairs after the first ten, which `ut.watch` always records, and over as many with them.

`own word` is what the trace says measuring cost, from step 1.
`other threads` is what they computed meanwhile, as a share of the bare steps: it falls on no step,
but takes a core. Memory is the peak of a process that takes 30 watched steps, less that of one with
bare steps; what the watcher imports is in it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from bench.watching.pairs import (
    Contender,
    Ratio,
    Training,
    Way,
    bare,
    paired,
    pooled,
    training,
    watched,
)
from bench.watching.peers import PEERS

FIRST = 10  # steps that are always recorded
MEMORY_STEPS = 30


def layers(depth: int, width: int, batch: int) -> Training:
    """Return a net of `depth` linear layers, the last with ten outputs, and plain SGD."""
    torch.manual_seed(0)
    widths = [min(width, 32), *[width] * (depth - 1), 10]
    found: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        found += [linear, nn.ReLU()]
    model = nn.Sequential(*found[:-1])
    batches = [(torch.randn(batch, widths[0]), torch.randint(10, (batch,))) for _ in range(8)]
    return training(model, torch.optim.SGD(model.parameters(), lr=1e-3), batches)


def transformer(depth: int, width: int, batch: int, length: int) -> Training:
    """Return a small language model: post-LN encoder layers, dropout, AdamW."""
    torch.manual_seed(0)
    words = 1000
    layer = nn.TransformerEncoderLayer(width, 4, 4 * width, batch_first=True)
    encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
    model = nn.Sequential(nn.Embedding(words, width), encoder, nn.Linear(width, words))
    shape = (batch, length)
    batches = [(torch.randint(words, shape), torch.randint(words, shape)) for _ in range(8)]
    return training(model, torch.optim.AdamW(model.parameters(), lr=1e-4), batches)


@contextmanager
def stored(training: Training) -> Iterator[Contender]:
    with (
        tempfile.TemporaryDirectory() as folder,
        watched(store=Path(folder) / "bench.db")(training) as contender,
    ):
        yield contender


NETS: dict[str, tuple[str, Callable[[], Training]]] = {
    "narrow": ("20 layers of 128, ReLU, batch 128, SGD", lambda: layers(20, 128, 128)),
    "wide": ("12 layers of 768, ReLU, batch 64, SGD", lambda: layers(12, 768, 64)),
    "transformer": (
        "transformer, 6 layers of 128, batch 8 of 32 words, AdamW",
        lambda: transformer(6, 128, 8, 32),
    ),
}
NULL, DEFAULT, STORED = "bare, the null control", "default", "default with a store"
GRADIENTS, EVERYTHING = "gradients, every step", "everything, every step"
WAYS: dict[str, Way] = {
    NULL: bare,
    GRADIENTS: watched(record="gradients", every=1),
    EVERYTHING: watched(record="everything", every=1),
    DEFAULT: watched(),
    STORED: stored,
}


class Row(NamedTuple):
    """What one way of watching cost one net."""

    later: Ratio  # after the first steps
    whole: Ratio  # as many pairs, the first steps among them
    elsewhere: float
    own_word: float | None
    recorded: int | None


class Target(NamedTuple):
    """The mean ratio is to be at most `most`, plus the null control's half-width if `near`."""

    way: str
    most: float
    near: bool = False
    whole: bool = False
    nets: tuple[str, ...] = tuple(NETS)
    word: str = "at most"

    @property
    def text(self) -> str:
        near, whole = " + half-width" * self.near, ", from step 1" * self.whole
        return f"{self.way}{whole}: {self.word} {self.most:.2f}{near}"


TARGETS = (
    Target(GRADIENTS, 1.06, nets=("narrow",)),
    Target(EVERYTHING, 1.60, nets=("narrow",)),
    Target(EVERYTHING, 1.35, nets=("narrow",), word="stretch"),
    Target(DEFAULT, 1.02, near=True),
    Target(DEFAULT, 1.02, near=True, whole=True),
    Target(STORED, 1.02, near=True),
    Target(STORED, 1.02, near=True, whole=True),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="30 pairs")
    parser.add_argument("--pairs", type=int, help="of steps, after the first ten (1000)")
    parser.add_argument("--copies", type=int, help="pairs of copies of each net (3)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (1)")
    parser.add_argument(
        "--processor",
        action="store_true",
        help="count the processor time of the main thread, where others keep the machine busy",
    )
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    parser.add_argument("--peers", action="store_true", help="the installed ones of peers.py")
    arguments = parser.parse_args()
    pairs = arguments.pairs or (30 if arguments.quick else 1000)
    copies = arguments.copies or (1 if arguments.quick else 3)
    clock = time.thread_time if arguments.processor else time.perf_counter

    torch.set_num_threads(arguments.threads)
    print(
        f"torch {torch.__version__}, threads: {arguments.threads}; "
        f"{pairs} pairs of steps of {copies} pairs of copies"
    )
    names = list(WAYS)
    for name, peer in PEERS.items() if arguments.peers else ():
        if peer.is_installed:
            names.append(name)
        else:
            print(f"{name}: not installed")
    if pairs < 1000:
        print("too short a run to judge the targets by")
    rows: dict[tuple[str, str], Row] = {}
    for net in arguments.nets:
        heading(net, clock)
        for name in names:
            if sys.stderr.isatty():
                print(f"{net}: {name}", file=sys.stderr)
            try:
                rows[net, name] = measured(net, name, pairs, copies, clock)
                memory = None if name == NULL else more_memory(net, name)
            except Exception as error:
                if name in WAYS:
                    raise
                print(f"  {name:<32}{type(error).__name__}: {str(error)[:60]!r}")
            else:
                print(line(name, rows[net, name], memory), flush=True)
        print(f"  half-width of the null control: {rows[net, NULL].later.half_width:.4f}")
    print(f"\n{'target, of the mean ratio':<66}" + "".join(f"{net:>15}" for net in arguments.nets))
    for target in TARGETS:
        found = [verdict(target, net, rows) for net in arguments.nets]
        print(f"{target.text:<66}" + "".join(f"{each:>15}" for each in found))


def heading(net: str, clock: Callable[[], float]) -> None:
    """Announce a net, after a few steps of it that let torch make what it makes once."""
    title, build = NETS[net]
    with bare(build()) as one, bare(build()) as other:
        seconds = paired(one, other, FIRST, clock).bare
    print(f"\n{title}: {1e3 * np.median(seconds):.1f} ms a bare step")
    print(
        f"  {'':<32}{'median':>8}{'mean':>8}{'[95 %]':>18}{'from step 1':>13}"
        f"{'own word':>10}{'other threads':>15}{'memory':>11}{'recorded':>10}"
    )


def measured(net: str, name: str, pairs: int, copies: int, clock: Callable[[], float]) -> Row:
    _, build = NETS[net]
    found, words, recorded = [], [], None
    for _ in range(copies):
        with bare(build()) as one, ways()[name](build()) as other:
            found.append(paired(other, one, FIRST + pairs, clock))
            trace = other.watcher and other.watcher.trace()
        if trace:
            words.append(trace.attributes["overhead"])
            recorded = trace.to_xarray().sizes["step"]
        if name in (GRADIENTS, EVERYTHING) and recorded != FIRST + pairs:
            raise SystemExit(f"{name}: {recorded} steps are recorded, not all {FIRST + pairs}")
    return Row(
        pooled([(each.watched[FIRST:], each.bare[FIRST:]) for each in found]),
        pooled([(each.watched[:pairs], each.bare[:pairs]) for each in found]),
        sum(each.elsewhere for each in found) / sum(each.bare.sum() for each in found),
        float(np.mean(words)) if words else None,
        recorded,
    )


def ways() -> dict[str, Way]:
    return WAYS | {name: peer.silent for name, peer in PEERS.items() if peer.is_installed}


def peak(net: str, name: str) -> float | None:
    """Return the peak of this process's memory in MB after a few steps; Linux tells it."""
    torch.set_num_threads(1)
    with ways()[name](NETS[net][1]()) as contender:
        for _ in range(MEMORY_STEPS):
            contender.step()
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    # Not getrusage, whose peak a process inherits from the one that started it.
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


@cache
def peak_elsewhere(net: str, name: str) -> float | None:
    with ProcessPoolExecutor(1, get_context("spawn")) as processes:
        return processes.submit(peak, net, name).result()


def more_memory(net: str, name: str) -> float | None:
    """Return by how much the peak of a watched process exceeds that of a bare one, in MB."""
    found, bare = peak_elsewhere(net, name), peak_elsewhere(net, NULL)
    return None if found is None or bare is None else found - bare


def line(name: str, row: Row, memory: float | None) -> str:
    found = row.later
    interval = f"[{found.low:.3f}, {found.high:.3f}]"
    word = "" if row.own_word is None else f"{1 + row.own_word:.3f}"
    more = "-" if memory is None else f"{memory:+.1f} MB"
    recorded = "" if row.recorded is None else str(row.recorded)
    return (
        f"  {name:<32}{found.median:>8.3f}{found.mean:>8.3f}{interval:>18}{row.whole.mean:>13.3f}"
        f"{word:>10}{row.elsewhere:>15.1%}{more:>11}{recorded:>10}"
    )


def verdict(target: Target, net: str, rows: dict[tuple[str, str], Row]) -> str:
    if net not in target.nets:
        return "-"
    row, null = rows[net, target.way], rows[net, NULL]
    found, control = (row.whole, null.whole) if target.whole else (row.later, null.later)
    most = target.most + target.near * control.half_width
    return f"{found.mean:.4f} {'met' if found.mean <= most else 'missed'}"


if __name__ == "__main__":
    main()
