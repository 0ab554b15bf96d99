"""What a trace's arrays say went wrong: where NaN began, and which zeros are underflows."""

from __future__ import annotations

import numpy as np

from undertow.trace.readings import values
from undertow.trace.record import Event, Trace


def anomalies(trace: Trace) -> tuple[Event, ...]:
    """Find, for each replicate, the first non-finite gradient and the first underflow.

    >>> import xarray
    >>> delta = (("replicate", "step", "layer"), [[[0.0, 1e-40, 1e-3]]])
    >>> places = {"step": [7], "layer": ["hidden_1", "hidden_2", "output"]}
    >>> for event in anomalies(Trace(xarray.Dataset({"delta_norm": delta}, places))):
    ...     print(event.kind, event.step, event.layer, event.detail)
    underflow 7 hidden_1 too small for float32

    A gradient is 0 for two reasons: nothing arrives, because units are dead; or what arrives is
    smaller than the data type's smallest number, which shows in the layer above. Only the second is
    an underflow.
    """
    return (*_nonfinite(trace), *_underflows(trace))


def _nonfinite(trace: Trace) -> list[Event]:
    if "nonfinite" not in trace.dataset:
        return []
    return _firsts(trace, "nonfinite", values(trace, "nonfinite") > 0, "NaN or Inf in dE/dW")


def _underflows(trace: Trace) -> list[Event]:
    if "delta_norm" not in trace.dataset:
        return []
    delta = values(trace, "delta_norm")
    dtype = trace.attributes.get("dtype", "float32")
    limits = np.finfo(dtype if dtype in ("float16", "float32", "float64") else "float32")
    # One layer shrinks a delta by far less than the 7 decades between this and the smallest number.
    nearly_lost = (delta > 0) & (delta < limits.tiny / limits.eps)
    lost = np.zeros(delta.shape, bool)
    lost[..., :-1] = (delta[..., :-1] == 0) & nearly_lost[..., 1:]
    return _firsts(trace, "underflow", lost, f"too small for {dtype}")


def _firsts(trace: Trace, kind: str, flags: np.ndarray, detail: str) -> list[Event]:
    """One event a replicate: the first step with a flag, and the layer flagged last there.

    The last, because a gradient comes from the output: what lies below only inherits.
    """
    steps, layers = trace.dataset["step"].values, trace.dataset["layer"].values
    events: list[Event] = []
    for replicate in np.flatnonzero(flags.any((1, 2))):
        place = int(np.argmax(flags[replicate].any(1)))
        layer = int(np.flatnonzero(flags[replicate, place])[-1])
        events.append(Event(kind, int(steps[place]), str(layers[layer]), int(replicate), detail))
    return events
