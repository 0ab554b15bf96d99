"""Seconds a trained network: the laboratory beside a plain PyTorch loop and the Keras program.

    python -m bench.training.laboratory            three rounds of 100 epochs: some minutes
    python -m bench.training.laboratory --quick    one round of 5: does it still run?
    python -m bench.training.laboratory --images DIR    networks of 128 units on Fashion-MNIST

Every round runs every program once, so that a busy minute falls on all of them; one thread each,
except where a line says a process a core (the start of the processes is in its time) or a thread a
core.
The laboratory writes all it measures, every step of it, into a store; the loops record nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from torch import nn

import undertow
from bench.training.limit import loop
from undertow.data.dataset import load
from undertow.engine import choice
from undertow.engine.common.threads import torch_threads
from undertow.executors.processes import cores
from undertow.experiments import experiment
from undertow.studies import study

ARMS = ("sigmoid", "relu")
NEVER = sys.maxsize

DATA = load("moons")
MOONS = experiment("moons")


class Target(NamedTuple):
    """`program` is to take at most 1/`times` of what `reference` takes a network."""

    program: str
    times: float
    reference: str


LOOP, KERAS = "PyTorch loop", "Keras program"
AT_20, AT_256 = "Undertow on PyTorch, 20 replicates", "Undertow on PyTorch, 256"
RECORDED_256 = "PyTorch without a store, 256"
LANES_256, LANES_ALONE = "Undertow in lanes, 256", "lanes without a store, 256"
LANES_CORES, ALONE_CORES = "lanes, a thread a core, 256", "lanes, no store, a core each, 256"
LIMIT = "a C++ loop for this alone, 256"
CORES_256 = "  the same, a process a core, 256"
BARE_20, BARE_256 = "  the same, not recording, 20", "  the same, not recording, 256"
TARGETS = (
    Target(AT_20, 12, LOOP),
    Target(AT_256, 30, LOOP),
    Target(CORES_256, 30, LOOP),
    Target(AT_20, 100, KERAS),
    Target(LANES_ALONE, 1 / 1.5, LIMIT),
    Target(LANES_256, 10, AT_256),
    Target(LANES_CORES, 10, CORES_256),
    Target(LANES_ALONE, 10, RECORDED_256),
    Target(ALONE_CORES, 10, RECORDED_256),
    Target(LANES_256, 2_000, KERAS),
    Target(LANES_ALONE, 2_000, KERAS),
    Target(ALONE_CORES, 2_000, KERAS),
)


def torch_loop(arm: str, epochs: int) -> float:
    """Train one network as most would write it, without a DataLoader."""
    spec, training = MOONS.arm(arm).network, MOONS.arm(arm).training
    activation = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}[arm]
    start = time.perf_counter()
    layers: list[nn.Module] = []
    for shape in spec.layer_shapes:
        linear = nn.Linear(*shape)
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, activation()]
    model = nn.Sequential(*layers[:-1])
    adam = torch.optim.Adam(model.parameters(), lr=training.learning_rate, eps=training.epsilon)
    loss_fn = nn.BCEWithLogitsLoss()
    inputs = torch.from_numpy(DATA.train_inputs)
    targets = torch.from_numpy(DATA.train_targets).float()[:, None]
    for _ in range(epochs):
        for samples in torch.randperm(len(inputs)).split(training.batch_size):
            adam.zero_grad()
            loss_fn(model(inputs[samples]), targets[samples]).backward()
            adam.step()
    return time.perf_counter() - start


def laboratory(
    replicates: int, workers: int | None = 1, trained_by: str = "torch", threads: int = 1
) -> Callable[[str, int], float]:
    """Train as `undertow run moons` does: in shards, into a store."""

    def timed(arm: str, epochs: int) -> float:
        planned = study.plan(
            MOONS, DATA, arms=[arm], replicates=replicates, epochs=epochs, engine=trained_by
        )
        with (
            tempfile.TemporaryDirectory() as folder,
            undertow.open(Path(folder) / "bench.db", create=True) as store,
        ):
            start = time.perf_counter()
            with torch_threads(threads):
                (outcome,) = study.run(planned, DATA, store, workers=workers)
            seconds = time.perf_counter() - start
        steps = outcome.trace.dataset.sizes["step"]
        if outcome.trained != replicates or steps != epochs * 7:
            raise SystemExit(f"recorded {steps} steps of {outcome.trained} networks, not all")
        return seconds / replicates

    return timed


def engine_alone(
    replicates: int, every: int = NEVER, trained_by: str = "torch", threads: int = 1
) -> Callable[[str, int], float]:
    """Train in the same shards, without a store.

    As a rule only the first steps and the ends of epochs are measured.
    """

    def timed(arm: str, epochs: int) -> float:
        (planned,) = study.plan(MOONS, DATA, arms=[arm], replicates=replicates, epochs=epochs)
        network, training = planned.arm.network, planned.arm.training
        start = time.perf_counter()
        with torch_threads(threads):
            for _, seeds in planned.shards:
                choice.train(
                    network,
                    training,
                    DATA,
                    seeds,
                    lambda _: None,
                    every=every,
                    engine=trained_by,
                )
        return (time.perf_counter() - start) / replicates

    return timed


def keras_program(backend: str, trained: int | None) -> Callable[[str, int], float]:
    """Run the published program in a process of its own, on one thread."""
    program = Path(__file__).with_name("keras_program.py")

    def timed(arm: str, epochs: int) -> float:
        one = {name: "1" for name in THREADS}
        environment = os.environ | one | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, str(program), arm, "--epochs", str(epochs)]
        command += ["--trained", str(trained)] if trained else []
        child = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        found = json.loads(child.stdout.splitlines()[-1])
        if found["backend"] != backend:
            raise SystemExit(f"Keras ran on {found['backend']}, not on {backend}")
        return found["seconds"]

    return timed


THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def keras_backend() -> str | None:
    """TensorFlow where there is one, for the published programs ran on it; None without Keras."""
    if importlib.util.find_spec("keras") is None:
        return None
    return "tensorflow" if importlib.util.find_spec("tensorflow") else "torch"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one round of 5 epochs")
    parser.add_argument("--rounds", type=int, help="how often each program runs (3)")
    parser.add_argument("--epochs", type=int, help="of each training (100)")
    parser.add_argument(
        "--keras-epochs", type=int, help="train Keras so long and extrapolate the rest"
    )
    parser.add_argument("--no-keras", action="store_true", help="leave the Keras program out")
    parser.add_argument(
        "--images", metavar="DIR", help="measure on Fashion-MNIST's files in DIR instead"
    )
    arguments = parser.parse_args()
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    if arguments.images:
        import images

        images.main(arguments.images, rounds, arguments.epochs or (1 if arguments.quick else 5))
        return
    epochs = arguments.epochs or (5 if arguments.quick else 100)
    keras_epochs = arguments.keras_epochs or (2 if arguments.quick else None)
    backend = None if arguments.no_keras else keras_backend()

    torch.set_num_threads(1)
    programs = {
        LOOP: torch_loop,
        AT_20: laboratory(20),
        BARE_20: engine_alone(20),
        AT_256: laboratory(256),
        CORES_256: laboratory(256, workers=2),
        RECORDED_256: engine_alone(256, every=1),
        BARE_256: engine_alone(256),
        LANES_256: laboratory(256, trained_by="lanes"),
        LANES_ALONE: engine_alone(256, every=1, trained_by="lanes"),
        LANES_CORES: laboratory(256, trained_by="lanes", threads=cores()),
        ALONE_CORES: engine_alone(256, every=1, trained_by="lanes", threads=cores()),
        LIMIT: lambda arm, epochs: loop.trained(arm, epochs, 256)[0],
    }
    if backend:
        programs[KERAS] = keras_program(backend, keras_epochs)

    for name, program in programs.items():
        if name != KERAS:  # a child process has no use for a warm-up in this one
            program(ARMS[0], 1)
    seconds: dict[tuple[str, str], list[float]] = {}
    for turn in range(rounds):
        for arm in ARMS:
            for name, program in programs.items():
                if sys.stderr.isatty():
                    print(f"round {turn + 1} of {rounds}: {arm}, {name}", file=sys.stderr)
                seconds.setdefault((arm, name), []).append(program(arm, epochs))

    print(f"two moons, 10 hidden layers of 10, {epochs} epochs, medians of {rounds} rounds")
    print(f"torch {torch.__version__}; {keras_line(backend, keras_epochs, epochs)}")
    if epochs != 100:
        print("too short a run to judge the targets by")
    for arm in ARMS:
        print(f"\n{arm:<34}{'s a network':>12}{'x the loop':>12}{'x Keras':>10}")
        for name in programs:
            shares = [faster(seconds, arm, name, other) for other in (LOOP, KERAS)]
            print(f"  {name:<32}{median(seconds[arm, name]):>12.4f}{shares[0]:>12}{shares[1]:>10}")
        for name, bare in ((AT_20, BARE_20), (AT_256, BARE_256)):
            both = zip(seconds[arm, name], seconds[arm, bare], strict=True)
            share = median(1 - without / recorded for recorded, without in both)
            print(f"  recording is {share:.0%} of the time of {name.removeprefix('Undertow, ')}")
    print(f"\n{'target':<62}{'sigmoid':>10}{'relu':>10}")
    for target in TARGETS:
        what = f"{target.program} at least {target.times:.3g} x the {target.reference}"
        found = [faster(seconds, arm, target.program, target.reference) for arm in ARMS]
        print(f"{what:<62}{found[0]:>10}{found[1]:>10}")


def keras_line(backend: str | None, trained: int | None, epochs: int) -> str:
    if backend is None:
        return "Keras not run"
    if trained is None or trained >= epochs:
        return f"Keras on {backend}"
    return f"Keras on {backend}, its {epochs} epochs extrapolated from {trained}"


def faster(seconds: dict[tuple[str, str], list[float]], arm: str, name: str, other: str) -> str:
    """How often `name` fits into `other`: the median over rounds, each within its round."""
    if (arm, other) not in seconds:
        return "-"
    pairs = zip(seconds[arm, other], seconds[arm, name], strict=True)
    return f"{median(theirs / ours for theirs, ours in pairs):.1f}"


if __name__ == "__main__":
    main()
