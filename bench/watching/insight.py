"""What explaining and diagnosing cost.

    python -m bench.watching.insight            a trace of 10,000 steps x 100 layers, nets of 100
    python -m bench.watching.insight --rounds 5

Explaining is compared with a training step of the same net (forward, backward, update), the two in
turn in one process; medians and their ratio are printed. Nothing else should run beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch import nn

import undertow as ut
from undertow.trace.record import Chunk, Header, Layer, Trace, build, provenance
from undertow.trace.schema import VARIABLES

STEPS, LAYERS = 10_000, 100
SHAPES = ((10, 32), (32, 32), (64, 64), (128, 128))  # width, batch
WATCHED = (
    "grad_norm",
    "grad_mean_abs",
    "delta_norm",
    "weight_norm",
    "update_norm",
    "activation_rms",
    "preactivation_rms",
    "slope_rms",
    "saturated_fraction",
    "dead_fraction",
    "nonfinite",
)


def long_trace() -> Trace:
    """Return a trace of random but healthy numbers, as a watched run has them."""
    rng = np.random.default_rng(0)
    shape = (1, STEPS, LAYERS)
    arrays = {name: rng.uniform(0.1, 0.3, shape).astype(np.float32) for name in WATCHED}
    arrays["nonfinite"][:] = 0
    arrays["update_norm"] *= 1e-3
    arrays["loss"] = np.linspace(1, 0.1, STEPS)[None]
    layers = tuple(Layer(f"layers.{i}", i + 1, "linear", "relu", 100, 100) for i in range(LAYERS))
    steps = np.arange(1, STEPS + 1)
    assert set(arrays) <= set(VARIABLES)
    header = Header(layers, (0,), provenance("watched", batch_size=128, dtype="float32"))
    return build(header, [Chunk(steps, np.ones(STEPS, int), arrays)])


def net(width: int, activation: type[nn.Module]) -> nn.Sequential:
    """Return 100 hidden layers with He's weights."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(LAYERS):
        linear = nn.Linear(width, width)
        nn.init.kaiming_normal_(linear.weight)
        layers += [linear, activation()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    trace = long_trace()
    ut.diagnose(trace)
    took = median(seconds(lambda: ut.diagnose(trace)) for _ in range(5))
    print(f"diagnose {STEPS:,} steps x {LAYERS} layers: {took:.2f} s (asked for: under 1)")
    for width, batch in SHAPES:
        for activation in (nn.ReLU, nn.Tanh):
            model = net(width, activation)
            optimizer = torch.optim.SGD(model.parameters(), 1e-9)
            given = torch.randn(batch, width), torch.randint(10, (batch,))
            loss_fn = nn.functional.cross_entropy

            def step() -> None:
                optimizer.zero_grad()  # noqa: B023
                loss_fn(model(given[0]), given[1]).backward()  # noqa: B023
                optimizer.step()  # noqa: B023

            def explain() -> None:
                ut.explain(model, loss_fn, given)  # noqa: B023

            for _ in range(3):
                step(), explain()
            pairs = [(seconds(step), seconds(explain)) for _ in range(rounds)]
            bare, own = (median(column) for column in zip(*pairs, strict=True))
            print(
                f"explain {LAYERS} layers of {width}, batch {batch}, {activation.__name__}: "
                f"{1e3 * own:.1f} ms, {own / bare:.2f} training steps (asked for: under 3)"
            )


if __name__ == "__main__":
    main()
