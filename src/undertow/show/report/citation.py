"""How a report is cited and made again: its runs, versions, seeds, date and commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from undertow.show.figure import Traces
from undertow.trace.schema import VERSION


class Citation(NamedTuple):
    """The text to cite, the command as typed, the one that trains anew, and the facts."""

    text: str
    command: str
    again: str
    facts: list[tuple[str, str]]


def citation(
    document: Mapping[str, Any], traces: Traces, command: str, again: str = ""
) -> Citation:
    """Return what to cite and how to make the report again.

    >>> found = citation({"runs": {"my-net": "my-net-1"}}, {}, "undertow report my-net -o r.html")
    >>> found.text
    'Undertow, report of run my-net-1.'

    Parameters
    ----------
    document : mapping
        What `undertow run --json` prints; of watched runs, their ids as `runs`.
    traces : mapping
        The trace of each arm.
    command, again : str
        The command that wrote the report, and one that trains the same networks anew.
    """
    runs = [*(arm["run"] for arm in document.get("arms", ()) if arm.get("run"))]
    runs += document.get("runs", {}).values()
    versions = _distinct(traces, lambda known: known.get("versions", {}).get("undertow"))
    dates = sorted(_distinct(traces, lambda known: str(known.get("created", ""))[:10]))
    program = " ".join(["Undertow", " and ".join(versions)]).strip()
    when = " to ".join(dict.fromkeys((*dates[:1], *dates[-1:])))
    of = f"run{'s' * (len(runs) != 1)} {', '.join(runs)}" if runs else ", ".join(traces)
    text = f"{program}, report of {of}{f'; {when}' if when else ''}."
    schema = [str(each) for each in _distinct(traces, lambda known: known.get("schema", VERSION))]
    facts = [
        ("runs", ", ".join(runs)),
        ("Undertow", " and ".join(versions)),
        ("date of the runs", when),
        ("seeds", _seeds(traces)),
        ("trace schema", f"version {' and '.join(schema)}" if schema else ""),
        ("store", str(document.get("store") or "")),
    ]
    return Citation(text, command, again, [(name, value) for name, value in facts if value])


def _distinct(traces: Traces, read: Any) -> list[Any]:
    found = (read(trace.attributes) for trace in traces.values())
    return list(dict.fromkeys(each for each in found if each))


def _seeds(traces: Traces) -> str:
    """Write the seeds as ranges; arms that share theirs share a range."""
    found: dict[tuple[int, ...], list[str]] = {}
    for arm, trace in traces.items():
        if trace.source == "trained":
            found.setdefault(tuple(trace.dataset["seed"].values.tolist()), []).append(arm)
    said = []
    for seeds, arms in found.items():
        low, high = min(seeds), max(seeds)
        whole = len(seeds) == high - low + 1
        each = f"{low} to {high}" if whole and low < high else ", ".join(map(str, seeds))
        said.append(f"{each} ({', '.join(arms)})" if len(found) > 1 else each)
    return "; ".join(said)
