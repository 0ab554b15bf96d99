"""Builds and times `moons.cpp`, the loop that shows what this machine allows."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
import torch

from undertow.data.dataset import load
from undertow.engine.common.parameters import initial_parameters
from undertow.engine.common.random_streams import batch_orders, generator
from undertow.engine.lanes.layout import aligned_zeros, to_lanes
from undertow.experiments import experiment

FLAGS = ["-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC"]
LANES, EPOCH = 8, 7  # replicates of a block, steps of an epoch
DATA, MOONS = load("moons"), experiment("moons")


@cache
def built(source: str) -> ctypes.CDLL:
    """Compile a file beside this one for this very processor, and load it."""
    target = [] if platform.machine() in ("arm64", "aarch64") else ["-march=native"]
    to = Path(tempfile.mkdtemp()) / "limit.so"
    command = ["g++", *FLAGS, *target, "-Wno-psabi", str(Path(__file__).with_name(source))]
    subprocess.run([*command, "-o", str(to)], check=True)
    return ctypes.CDLL(str(to))


def trained(arm: str, epochs: int, replicates: int) -> tuple[float, np.ndarray]:
    """Train an arm; return seconds a network, and the first layer's |dE/dW| at the first step."""
    spec, lib = MOONS.arm(arm).network, built("moons.cpp")
    seeds = list(range(replicates))
    leaves = initial_parameters(spec, seeds, torch.float32).leaves
    rows = torch.cat([leaf.reshape(replicates, -1) for leaf in leaves], 1).numpy()
    parameters = to_lanes(rows)
    orders = [generator(seed, "order") for seed in seeds]
    every = np.stack([batch_orders(orders, 200) for _ in range(epochs)]).astype(np.int32)
    inputs, targets = DATA.train_inputs, DATA.train_targets.astype(np.int32)
    record = aligned_zeros((epochs * EPOCH, lib.limit_record(), LANES))
    first = []
    start = time.perf_counter()
    for block in range(replicates // LANES):
        moments = aligned_zeros((2, lib.limit_size(), LANES))
        own = np.ascontiguousarray(every[:, block * LANES : (block + 1) * LANES])
        lib.limit_train(
            int(spec.activation == "sigmoid"),
            ctypes.c_void_p(parameters[block].ctypes.data),
            ctypes.c_void_p(moments.ctypes.data),
            ctypes.c_void_p(inputs.ctypes.data),
            ctypes.c_void_p(targets.ctypes.data),
            ctypes.c_void_p(own.ctypes.data),
            epochs,
            ctypes.c_void_p(record.ctypes.data),
        )
        first.append(record[:, 0].copy())
    seconds = (time.perf_counter() - start) / replicates
    return seconds, np.concatenate(first, 1)
