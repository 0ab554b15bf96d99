"""Lanes by width: time a network, and the share of what one core can multiply and add.

    python -m bench.training.lanes    half a minute

ReLU, 10 hidden layers, batches of 32 of two moons, Keras's Adam, one thread, the library alone; the
best of several epochs, with every step recorded and with none.
"""

from __future__ import annotations

import ctypes
import time

import numpy as np
import torch

from bench.training.limit.loop import built
from undertow.data.dataset import load
from undertow.engine.common import stages
from undertow.engine.common.batches import samples
from undertow.engine.lanes.layout import pad_to_blocks
from undertow.engine.lanes.native_library import library
from undertow.engine.lanes.networks import LaneAnswers, LaneInputs, LaneRecord, Lanes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec

DATA = load("moons")
STEPS, EPOCHS = 7, 10
ROUNDS = 20_000_000


def peak() -> float:
    """Multiplications and additions a second, of one core, nothing loaded or stored."""
    found = built("peak.cpp")
    found.peak.argtypes = [ctypes.c_long, ctypes.c_float]
    best = 0.0
    for _ in range(3):
        start = time.perf_counter()
        found.peak(ROUNDS, 0.5)
        best = max(best, 2 * ROUNDS * found.peak_numbers() / (time.perf_counter() - start))
    return best


def seconds(width: int, replicates: int, every: int) -> tuple[float, float]:
    """Return seconds a network for 100 epochs, and operations a second."""
    spec = NetworkSpec(inputs=2, outputs=1, depth=10, width=width, activation="relu")
    training = TrainingSpec(optimizer="keras_adam", learning_rate=1e-4)
    seeds = list(range(replicates))
    networks = stages.make_stage(spec, [spec] * replicates, seeds, torch.float32, 0, None)
    lanes = Lanes(networks, training, 0, threads=1)
    squares = samples(DATA.train_inputs, DATA.train_targets, torch.float32).squares.numpy()
    given = LaneInputs(DATA, squares, 2)
    random = np.random.default_rng(0)
    orders = pad_to_blocks(np.stack([random.permutation(200) for _ in seeds]).astype(np.int32))[
        None
    ]
    best = float("inf")
    for epoch in range(1, EPOCHS + 1):
        steps = range(STEPS * epoch + 10, STEPS * (epoch + 1) + 10)
        record = LaneRecord(lanes, steps, STEPS, last=0, every=every)
        test = LaneAnswers(
            lanes, DATA.test_inputs[:1], 1
        )  # what is measured beside: nearly nothing
        start = time.perf_counter()
        lanes.train(given, orders, record, test, 0, STEPS)
        best = min(best, time.perf_counter() - start)
    products = [fan_in * fan_out for fan_in, fan_out in spec.layer_shapes]
    operations = 2 * (3 * sum(products) - products[0]) * 200 * replicates
    return 100 * best / replicates, operations / best


def main() -> None:
    found, most = library(), peak()
    if found is None:
        raise SystemExit("lanes are not built here")
    print(f"lanes for {found.lanes_name().decode()}; one core at most {most / 1e9:.0f} GFLOP/s")
    print(f"{'width':>6}{'recorded':>10}{'ms a network':>14}{'GFLOP/s':>9}{'share':>7}")
    for width, replicates in ((10, 128), (32, 64), (128, 16)):
        for every, said in ((1, "all"), (10**9, "none")):
            taken, speed = seconds(width, replicates, every)
            row = f"{width:>6}{said:>10}{1e3 * taken:>14.2f}{speed / 1e9:>9.1f}{speed / most:>7.0%}"
            print(row)


if __name__ == "__main__":
    main()
