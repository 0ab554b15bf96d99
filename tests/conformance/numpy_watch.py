"""A watcher of the network in `numpy_net`: one meter, and the few lines that end a step.

This is all that a new framework takes; no line of it names PyTorch, and neither does
`undertow.watching.core`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np

from tests.conformance.numpy_net import Call, Layer, Momentum, Net
from undertow.trace.record import Layer as TraceLayer
from undertow.trace.record import Trace
from undertow.trace.sink import Keeper
from undertow.trace.sinks.memory import Memory
from undertow.watching.core.meter import Look
from undertow.watching.core.origin import (
    FROM_LOSS,
    IN_DELTA,
    IN_GRADIENT,
    IN_OUTPUT,
    Origin,
)
from undertow.watching.core.schedule import Schedule
from undertow.watching.core.session import Session


class NumpyMeter:
    """Reads one step of a `Net`, in float64."""

    is_shared = is_scaled = False

    def __init__(self, net: Net) -> None:
        self.net = net
        self.dtype = np.dtype(net.layers[0].weight.dtype)
        self.count = len(net.layers)
        self._forget()

    def begin_step(self, look: Look) -> None:
        self._forget()
        self.look = look
        if self not in self.net.observers:
            self.net.observers.append(self)

    def detach(self) -> None:
        if self in self.net.observers:
            self.net.observers.remove(self)

    # What the network tells.

    def called(self, layer: Layer, call: Call) -> None:
        self.last[layer.name] = call  # it counts when a backward pass comes through it

    def came_back(self, layer: Layer, delta: np.ndarray) -> None:
        self.calls.setdefault(layer.name, []).append(self.last[layer.name])
        self.deltas.setdefault(layer.name, []).append(norm(delta))

    def passed(self) -> None:
        self.passes += 1
        self.gradients = {each.name: each.weight_grad.copy() for each in self.net.layers}

    def updating(self) -> None:
        self.before = {layer.name: layer.weight.copy() for layer in self.net.layers}

    def updated(self) -> None:
        """The session asks for the change when the step ends."""

    # What the session asks.

    def values(self, step: int, due: int | None) -> tuple[dict[str, Any], int | None]:
        names = [layer.name for layer in self.net.layers]
        found: dict[str, Any] = {
            "grad_norm": self._of(names, self.gradients, norm),
            "nonfinite": self._of(names, self.gradients, lambda each: (~np.isfinite(each)).sum()),
        }
        if self.look.calls:
            found["delta_norm"] = self._of(names, self.deltas, np.linalg.norm)
            found["preactivation_rms"] = self._of(names, self.calls, lambda calls: rms(calls, "z"))
            found["activation_rms"] = self._of(names, self.calls, lambda calls: rms(calls, "x"))
            found["slope_rms"] = self._of(names, self.calls, lambda calls: rms(calls, "slope"))
            found["input_rms"] = rms(self.calls[names[0]], "inputs")
        if self.look.whole:
            changes = {each.name: each.weight - self.before[each.name] for each in self.net.layers}
            found["weight_norm"] = self._of(names, self.before, norm)
            found["update_norm"] = self._of(names, changes, norm)
            found["update_norm_se"] = np.zeros(len(names))
        return found, due

    def origin(self, loss: float | None) -> Origin | None:
        for name, calls in self.calls.items():
            if not all(np.isfinite(call.z).all() for call in calls):
                return Origin(name, IN_OUTPUT, True)
        for name in self.deltas:  # in the order of the way back
            if not np.isfinite(self.deltas[name]).all():
                last = name == self.net.layers[-1].name
                return Origin(name, IN_DELTA + FROM_LOSS * last, False)
        for name, gradient in self.gradients.items():
            if not np.isfinite(gradient).all():
                return Origin(name, IN_GRADIENT, False)
        return None

    def total_norm(self) -> float:
        return float(np.linalg.norm([norm(each) for each in self.gradients.values()]))

    def layers(self) -> tuple[TraceLayer, ...]:
        return tuple(
            TraceLayer(each.name, depth, "linear", each.activation, *each.weight.shape)
            for depth, each in enumerate(self.net.layers, 1)
        )

    def unseen(self) -> Mapping[str, str]:
        return {}

    def facts(self) -> Mapping[str, Any]:
        return {"device": "cpu", "dtype": str(self.dtype), "accumulation": max(self.passes, 1)}

    def _forget(self) -> None:
        self.passes = 0
        self.look = Look(calls=False, whole=False, rare=False)
        self.last: dict[str, Call] = {}
        self.calls: dict[str, list[Call]] = {}
        self.deltas: dict[str, list[float]] = {}
        self.gradients: dict[str, np.ndarray] = {}
        self.before: dict[str, np.ndarray] = {}

    def _of(self, names: list[str], of_layer: Mapping[str, Any], measure: Any) -> np.ndarray:
        """Measure each layer; NaN for one of which there is nothing."""
        return np.array([measure(of_layer[n]) if n in of_layer else np.nan for n in names], float)

    def __deepcopy__(self, memo: object) -> Silent:
        return Silent()

    def __reduce__(self) -> Any:
        return Silent, ()


class Silent:
    """Stands for a watcher in a copy of what is watched: it is told, and does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_: None


class StepEnd:
    """Ends a session's step when the optimizer has stepped."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def updated(self) -> None:
        self.session.close_step()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_: None

    def __reduce__(self) -> Any:
        return Silent, ()


class NumpyWatch:
    """A `Net` being watched, to be used in a `with` as `undertow.watch` is."""

    def __init__(
        self,
        net: Net,
        optimizer: Momentum,
        *,
        every: int | str = "auto",
        keeper: Keeper | None = None,
        sinks: Any = (),
    ) -> None:
        self.meter = self.measuring(net)
        self.session = Session(self.meter, Schedule(every, 0.02), keeper or Memory(), sinks)
        self.net, self.end = net, StepEnd(self.session)
        net.observers.append(self.end)  # after the meter, which looks at the update first

    def measuring(self, net: Net) -> NumpyMeter:
        return NumpyMeter(net)

    def log(self, **values: Any) -> None:
        self.session.log(values)

    def trace(self) -> Trace:
        return self.session.trace()

    def close(self, error: type[BaseException] | None = None) -> None:
        if self.end in self.net.observers:
            self.net.observers.remove(self.end)
        self.session.close(error)

    def __enter__(self) -> NumpyWatch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> Any:
        self.close(kind)


def norm(array: np.ndarray) -> float:
    """Return the Frobenius norm, taken of the array over its largest entry: squares may underflow.

    >>> norm(np.full(4, 1e-300))
    2e-300
    """
    largest = float(np.abs(array).max())
    if not 0 < largest < np.inf:
        return largest
    return largest * float(np.linalg.norm(array.astype(float) / largest))


def rms(calls: list[Call], name: str) -> float:
    squares = [np.square(getattr(call, name).astype(float)) for call in calls]
    return float(np.sqrt(np.concatenate([each.ravel() for each in squares]).mean()))
