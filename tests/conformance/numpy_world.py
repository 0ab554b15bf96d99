"""The network in `numpy_net`, as the promises ask of it, and the cases it is trained in."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import xarray

from tests.conformance.case import Case, Log, Optimizers
from tests.conformance.numpy_net import Momentum, Net, batch, evaluating, parameters

PRECISIONS = (np.float32, np.float64)


@contextmanager
def begun(case: Case, precision: Any) -> Iterator[tuple[Net, Optimizers]]:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    net, optimizers = case.build()
    yield net.astype(precision), optimizers


def state(net: Net, optimizers: Optimizers) -> dict[str, object]:
    return {
        **weights(net),
        **{f"gradient {place}": bits(each) for place, (_, each) in enumerate(parameters(net))},
        **{
            f"velocity {place}": bits(v) for o in optimizers for place, v in enumerate(o.velocities)
        },
    }


def weights(net: Net) -> dict[str, object]:
    return {f"weight {place}": bits(each) for place, (each, _) in enumerate(parameters(net))}


def bits(array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    return str(array.dtype), array.shape, array.tobytes()


def random_states() -> dict[str, object]:
    _, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {"python": random.getstate(), "numpy": (np.asarray(keys).tobytes(), *rest)}


def modes(net: Net) -> dict[str, object]:
    return {"training": net.training}


def attached(net: Net, optimizers: Optimizers) -> dict[str, object]:
    return {
        "observers": len(net.observers),
        "attributes": sorted(vars(net)),
        "of the optimizers": [sorted(vars(each)) for each in optimizers],
    }


def number(loss: float) -> float:
    return loss


def trained(net: Net) -> list[str]:
    return [layer.name for layer in net.layers]


def evaluate(case: Case, net: Net) -> None:
    with evaluating(net):
        case.loss(net, 0)


def copies(net: Net) -> Iterator[Net]:
    yield copy.deepcopy(net)
    yield pickle.loads(pickle.dumps(net))


def train_copy(case: Case, net: Net) -> None:
    drops, net.drops = net.drops, 0.0  # the generator that all share stays where it is
    net.forward_backward(*batch(0, net.layers[0].weight.dtype), 1.0)
    net.drops = drops


@cache
def truth(case: Case, precision: Any) -> xarray.Dataset:
    """Return what should be read, from copies of all arrays around each step.

    That these gradients are right, differences of the loss say in test_numpy_meter.py.
    """
    rows: list[dict[str, list[float]]] = []
    with begun(case, precision) as (net, optimizers):
        for place in range(1, case.dense + 1):
            seen = Ledger(net)
            net.observers.append(seen)
            before = [layer.weight.copy() for layer in net.layers]
            case.step(net, optimizers, place, lambda **_: None)
            net.observers.remove(seen)
            changes = [layer.weight - old for layer, old in zip(net.layers, before, strict=True)]
            rows.append(
                {
                    "grad_norm": [length(each) for each in seen.gradients],
                    "delta_norm": [length(np.array(seen.deltas[each.name])) for each in net.layers],
                    "weight_norm": [length(each) for each in before],
                    "update_norm": [length(each) for each in changes],
                    "update_norm_se": [0.0 for _ in changes],
                }
            )
    names = [layer.name for layer in net.layers]
    return xarray.Dataset(
        {name: (("step", "layer"), [row[name] for row in rows]) for name in rows[0]},
        coords={"step": np.arange(1, case.dense + 1), "layer": names},
    )


class Ledger:
    """Keeps a copy of every delta and of the gradients when a pass has ended."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.deltas: dict[str, list[float]] = {layer.name: [] for layer in net.layers}
        self.gradients: list[np.ndarray] = []

    def came_back(self, layer: Any, delta: np.ndarray) -> None:
        self.deltas[layer.name] += delta.ravel().tolist()

    def passed(self) -> None:
        self.gradients = [layer.weight_grad.copy() for layer in self.net.layers]

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def length(array: np.ndarray) -> float:
    return float(np.sqrt(np.square(array.astype(np.float64)).sum()))


def loss(net: Net, place: int) -> float:
    return net.loss(*batch(place, net.layers[0].weight.dtype))


def case(
    name: str, *, parts: int = 1, clips: bool = False, log_after: bool = False, drops: float = 0.0
) -> Case:
    def build() -> tuple[Net, Optimizers]:
        net = Net(np.random.default_rng(1), drops=drops)
        return net, [Momentum(net)]

    def step(net: Net, optimizers: Optimizers, place: int, log: Log) -> None:
        (optimizer,) = optimizers
        optimizer.zero_grad()
        dtype = net.layers[0].weight.dtype
        drawn = [batch(place * parts + part, dtype) for part in range(parts)]
        total = sum(net.forward_backward(*each, 1 / parts) for each in drawn)
        if clips:
            optimizer.clip()
        if not log_after:
            log(loss=total)
        optimizer.step()
        if log_after:
            log(loss=total)

    return Case(name, build, loss, step)


CASES = [
    case("plain"),
    case("clipped", clips=True, log_after=True),
    case("micro_batches", parts=3),
    case("dropout", drops=0.3, log_after=True),
]
