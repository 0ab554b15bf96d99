"""The report of runs that were watched: what went wrong first, then every layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from undertow.app import insight
from undertow.trace.record import Trace


def report(runs: Mapping[str, tuple[str, Trace]], output: str, *, png: bool, command: str) -> str:
    """Write the report of watched runs, or their figures as PNG; return what was written."""
    from undertow.show import report as page

    traces = {label: trace for label, (_, trace) in runs.items()}
    document: dict[str, Any] = {"arms": []}  # a run that was watched is no arm of an experiment
    if png:
        from undertow.show import png as pictures

        pictures.write(output, page.figures(document, traces))
        return output
    diagnoses, budgets = insight.of_arms(traces)
    page.write(
        output,
        document,
        traces,
        title=f"Watched: {', '.join(traces)}",
        command=command,
        words=words(diagnoses),
        insight=page.Insight(diagnoses, budgets),
    )
    return output


def words(diagnoses: Mapping[str, Mapping[str, Any]]) -> str:
    """Say the verdict on each run in a sentence or two.

    >>> words({"net": {"outcome": "healthy", "reason": "", "root_cause": None}})
    'net is healthy: the gradient reaches every layer.'
    """
    from undertow.show.verdict import headline

    said = []
    for name, document in diagnoses.items():
        root = document["root_cause"]
        said.append(f"{name} is {headline(document)}.")
        if root:
            said.append(f"{root['evidence'][:1].upper()}{root['evidence'][1:]}.")
            said.append(f"What helps most: {root['advice'][0]}.")
    return " ".join(said)
