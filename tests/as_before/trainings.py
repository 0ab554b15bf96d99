"""How the small stores were trained: in both engines, watched, interrupted, as an atlas."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import torch
from torch import nn
from torch.nn.functional import cross_entropy

import undertow as ut
from tests.as_before.kept import REPOSITORY
from undertow.data.dataset import load
from undertow.experiments import experiment
from undertow.studies import atlas as maps
from undertow.studies import study

MOONS = experiment("moons")
PAUSE = 0.6  # seconds after which what a run has is flushed
EPOCHS = 3  # of the arms that are interrupted
STEPS, BROKEN_FROM = 24, 18  # of a watched run
OFTEN = 4  # every so many steps the watch is asked to record, after the first ten


def lanes(path: Path, arms: tuple[str, ...] = ()) -> None:
    """Train every arm of `moons` in lanes, two networks each, for one epoch."""
    trained(path, "lanes", arms, replicates=2, epochs=1)


def torch_(path: Path, arms: tuple[str, ...] = ("sigmoid", "relu")) -> None:
    """Train two arms with PyTorch for two epochs, six networks each: what a test of pairs needs."""
    trained(path, "torch", arms, replicates=6, epochs=2)


def trained(path: Path, engine: str, arms: tuple[str, ...], replicates: int, epochs: int) -> None:
    """Train arms of `moons`; without names, every arm."""
    data = load(MOONS.data)
    planned = study.plan(
        MOONS, data, arms=arms, replicates=replicates, epochs=epochs, engine=engine
    )
    with ut.open(path, create=True) as store:
        study.run(planned, data, store, workers=1)


def interrupted(path: Path) -> None:
    """Train one arm to its end, interrupt the second as by Ctrl-C, and kill the third."""
    subprocess.run([sys.executable, "-m", __name__, str(path)], cwd=REPOSITORY, check=False)


def interrupt_one_after_another(path: Path) -> NoReturn:
    """Do so in a process of its own, which ends by being killed after two of three epochs."""
    data = load(MOONS.data)

    def train(arm: str, progress: Callable[[study.Progress], None]) -> None:
        planned = study.plan(MOONS, data, arms=[arm], replicates=2, epochs=EPOCHS, engine="torch")
        with ut.open(path, create=True) as store:
            study.run(planned, data, store, workers=1, progress=progress)

    def stop(done: study.Progress) -> None:
        if done.epochs_done == 2:
            raise KeyboardInterrupt

    def kill(done: study.Progress) -> None:
        if done.epochs_done == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(PAUSE)

    train("relu", lambda _: None)
    try:
        train("leaky-relu", stop)
    except KeyboardInterrupt:
        train("tanh", kill)
    raise AssertionError("nobody killed this process")


def resumed(path: Path) -> dict[str, int]:
    """Go on with what was interrupted; return how many networks were trained for each arm."""
    data = load(MOONS.data)
    planned = study.plan(
        MOONS,
        data,
        arms=["relu", "leaky-relu", "tanh"],
        replicates=2,
        epochs=EPOCHS,
        engine="torch",
    )
    with ut.open(path) as store:
        return {each.arm: each.trained for each in study.run(planned, data, store, workers=1)}


def watched(path: Path) -> None:
    """Watch two small models: one that learns, and one whose inputs are not finite later on."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name in ("healthy", "broken"):
        generator = torch.Generator().manual_seed(1)
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(6, 12),
            nn.ReLU(),
            nn.Linear(12, 12),
            nn.BatchNorm1d(12),
            nn.Tanh(),
            nn.Linear(12, 3),
        )
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        with ut.watch(model, optimizer, store=path, name=name, every=OFTEN) as watch:
            for step in range(1, STEPS + 1):
                inputs = torch.randn(32, 6, generator=generator)
                targets = (inputs[:, 0] > 0).long() + (inputs[:, 1] > 1).long()
                if name == "broken" and step >= BROKEN_FROM:
                    inputs[0, 0] = float("nan")
                optimizer.zero_grad()
                loss = cross_entropy(model(inputs), targets)
                loss.backward()
                optimizer.step()
                watch.log(loss=loss)
    torch.set_num_threads(threads)


def atlas(path: Path) -> None:
    """Train the smallest map: a network in each of its 500 cells."""
    with ut.open(path, create=True) as store:
        maps.run(maps.plan("relu", 1), load(maps.DATA), store)


if __name__ == "__main__":
    interrupt_one_after_another(Path(sys.argv[1]))
