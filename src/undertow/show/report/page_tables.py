"""The report's tables as plain rows of text and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from undertow.numerals import NONE, entry
from undertow.show.figure import Traces
from undertow.trace.record import Trace
from undertow.trace.schema import EVENTS, VARIABLES

HAVE_COLUMNS = {"grad_norm", "delta_norm"}  # of their own: the gradient, and the total dex


def arms(document: Mapping[str, Any], traces: Traces) -> list[dict[str, str | list[str]]]:
    """Return a row an arm: what it is, how well it does, what gradient reaches layer 1."""
    more = quantities(document)
    return [_arm(arm, traces.get(arm["name"]), more) for arm in document.get("arms", ())]


def quantities(document: Mapping[str, Any]) -> list[str]:
    """Name the variables of layers that arms are told apart by, beside gradient and delta.

    >>> quantities({"arms": [{"name": "a", "layers": [{"name": "hidden_1", "grad_norm": {}}]}]})
    []
    """
    held = {name for arm in document.get("arms", ()) for name in (arm.get("layers") or [{}])[0]}
    return [
        name
        for name, variable in VARIABLES.items()
        if variable.of_arms and variable.column and name in held - HAVE_COLUMNS
    ]


def comparisons(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row a comparison of an arm with the baseline."""
    return [
        {
            "arm": row["arm"],
            "baseline": row["baseline"],
            "difference": entry(_percent(row.get("difference")), "+.1f", " points"),
            "interval": _interval(row.get("ci95"), "+.1f"),
            "p": entry(row.get("p_holm")),
            "improvement": entry(row.get("probability_of_improvement"), ".2f"),
            "note": row.get("note") or "",
        }
        for row in document.get("comparisons", ())
    ]


def events(traces: Traces) -> list[dict[str, str]]:
    """Return a row for each kind of event of an arm: how often, and the first of them."""
    rows = []
    for arm, trace in traces.items():
        kinds = dict.fromkeys(event.kind for event in trace.events)
        for kind in kinds:
            alike = [event for event in trace.events if event.kind == kind]
            first = min(alike, key=lambda event: event.step)
            rows.append(
                {
                    "arm": arm,
                    "kind": kind,
                    "meaning": EVENTS.get(kind, ""),
                    "count": f"{len(alike):,}",
                    "step": f"{first.step:,}",
                    "layer": first.layer or NONE,
                    "detail": first.detail,
                }
            )
    return rows


def _arm(
    arm: Mapping[str, Any], trace: Trace | None, more: Iterable[str]
) -> dict[str, str | list[str]]:
    attributes = trace.attributes if trace else {}
    accuracy = arm.get("test_accuracy") or {}
    layers = arm.get("layers") or [{}]
    first = layers[0].get("grad_norm") or {}
    change = arm.get("first_layer_weight_change") or {}
    mean = entry(_percent(accuracy.get("mean")), ".1f", " %")
    interval = _interval(accuracy.get("ci95"), ".1f")
    count = len(accuracy.get("values", ()))
    return {
        "name": str(arm["name"]),
        "note": str(attributes.get("note", "")),
        "accuracy": mean if interval == NONE else f"{mean} {interval}",
        "stuck": f"{accuracy['stuck']} of {count}" if accuracy.get("stuck") is not None else NONE,
        "first": entry(first.get("first")),
        "last": entry(first.get("last")),
        "dex": entry(arm.get("total_dex"), "+.1f"),
        "percent": entry(change.get("percent")),
        "over_rate": entry(change.get("over_learning_rate")),
        "parameters": entry(arm.get("parameters"), ",d"),
        "more": [
            entry(layers[0].get(name, {}).get(when)) for name in more for when in ("first", "last")
        ],
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _interval(ends: Any, digits: str) -> str:
    if not ends or any(end is None for end in ends):
        return NONE
    return f"[{100 * ends[0]:{digits}}, {100 * ends[1]:{digits}}]"
