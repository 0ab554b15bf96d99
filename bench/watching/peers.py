"""Other monitors on the same pairs, called as their own pages say: `overhead.py --peers`.

None of them is a dependency of Undertow's. To compare, install what is wanted beside it:

    pip install wandb pandas tensorboard jinja2 plotly matplotlib h5py
    pip install --no-deps ormas-monitor torch-module-monitor torchmortem
    pip install --no-deps monitorch neurolens gradsnitch

--no-deps, or some of them bring another torch. Every import stands inside the function that
needs it, so one that is missing takes no other with it.
"""

from __future__ import annotations

import importlib.util
import io
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from bench.watching.pairs import Contender, Training, Way, train


class Peer(NamedTuple):
    """A way of watching, and the module that must be there for it."""

    module: str
    way: Way

    @property
    def is_installed(self) -> bool:
        return importlib.util.find_spec(self.module) is not None

    @contextmanager
    def silent(self, training: Training) -> Iterator[Contender]:
        """Watch, and keep what it prints from between our lines."""
        with (
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            with self.way(training) as contender:
                yield contender


@contextmanager
def floor(training: Training) -> Iterator[Contender]:
    """Read every gradient's norm, in one fused pass and one read, and keep nothing."""
    parameters = list(training.model.parameters())

    def norms(_: Tensor) -> list[float]:
        return torch.stack(torch._foreach_norm([each.grad for each in parameters])).tolist()

    yield Contender(lambda: train(training, norms))


@contextmanager
def ormas(training: Training, every: int) -> Iterator[Contender]:
    from ormas_monitor import Monitor

    with tempfile.TemporaryDirectory() as folder:
        monitor = Monitor(
            training.model,
            training.optimizer,
            out=folder,
            check_every=every,
            verbose=False,
            overwrite=True,
        )
        yield Contender(lambda: train(training, monitor.step))
        monitor.close()


@contextmanager
def module_monitor(training: Training) -> Iterator[Contender]:
    from torch_module_monitor import ModuleMonitor

    monitor = ModuleMonitor(monitor_step_fn=lambda _: True)
    monitor.set_module(training.model)
    monitor.add_activation_metric("mean", lambda x: x.mean())
    monitor.add_parameter_metric("norm", lambda x: x.norm())
    monitor.add_gradient_metric("norm", lambda x: x.norm())
    number = 0

    def read(_: Tensor) -> None:
        monitor.monitor_parameters()
        monitor.monitor_gradients()

    def step() -> None:
        nonlocal number
        monitor.begin_step(number)
        train(training, read)
        monitor.end_step()
        monitor.get_step_metrics()
        number += 1

    yield Contender(step)


@contextmanager
def wandb_watch(training: Training, every: int) -> Iterator[Contender]:
    import wandb

    with tempfile.TemporaryDirectory() as folder:
        os.environ["WANDB_SILENT"] = "true"
        quiet = wandb.Settings(x_disable_stats=True, console="off")
        wandb.init(project="bench", mode="offline", dir=folder, settings=quiet)
        wandb.watch(training.model, log="gradients", log_freq=every)
        # Its histograms ride on the next log.
        yield Contender(lambda: wandb.log({"loss": train(training).item()}))
        wandb.unwatch(training.model)
        wandb.finish()


@contextmanager
def mortem(training: Training) -> Iterator[Contender]:
    from torchmortem import Autopsy

    with Autopsy(training.model, optimizer=training.optimizer) as autopsy:
        yield Contender(lambda: autopsy.step(loss=train(training).item()))


@contextmanager
def inspector(training: Training) -> Iterator[Contender]:
    from monitorch.inspector import PyTorchInspector
    from monitorch.lens import OutputActivation, ParameterGradientGeometry

    lenses = [ParameterGradientGeometry(), OutputActivation()]
    found = PyTorchInspector(lenses=lenses, module=training.model, visualizer="print")
    yield Contender(lambda: train(training))
    found.tick_epoch()
    found.detach()


@contextmanager
def neuro_lens(training: Training, seconds: float) -> Iterator[Contender]:
    from neurolens.monitor import monitor

    found = monitor(training.model, training.optimizer, every=seconds)
    yield Contender(lambda: found.step(loss=train(training)))
    found.remove()


@contextmanager
def snitch(training: Training) -> Iterator[Contender]:
    import gradsnitch

    monitor, number = gradsnitch.watch(training.model, training.optimizer), 0

    def read(loss: Tensor) -> None:
        nonlocal number
        monitor.log(number, loss.item())
        number += 1

    yield Contender(lambda: train(training, read))


# neurolens goes by the clock, and half of the clock's time is the bare copy's: its .5 s are 1 s.
PEERS = {
    "floor: _foreach_norm, one read": Peer("torch", floor),
    "gradsnitch": Peer("gradsnitch", snitch),
    "torch-module-monitor": Peer("torch_module_monitor", module_monitor),
    "monitorch": Peer("monitorch", inspector),
    "ormas-monitor, every step": Peer("ormas_monitor", partial(ormas, every=1)),
    "ormas-monitor, its default": Peer("ormas_monitor", partial(ormas, every=50)),
    "neurolens, every step": Peer("neurolens", partial(neuro_lens, seconds=0.0)),
    "neurolens, its default": Peer("neurolens", partial(neuro_lens, seconds=1.0)),
    "torchmortem": Peer("torchmortem", mortem),
    "wandb.watch, every step": Peer("wandb", partial(wandb_watch, every=1)),
    "wandb.watch, its default": Peer("wandb", partial(wandb_watch, every=1000)),
}
