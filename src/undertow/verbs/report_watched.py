"""The report of runs that were watched: what went wrong first, then every layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from undertow.diagnosis.document import DiagnoseDocument
from undertow.trace.record import Trace
from undertow.verbs.arms import diagnose_and_explain


def report(
    runs: Mapping[str, tuple[str, Trace]],
    output: str,
    *,
    png: bool,
    command: str,
    store: str | None = None,
) -> str:
    """Write the report of watched runs, or their figures as PNG; return what was written."""
    from undertow.show.report import page

    traces = {label: trace for label, (_, trace) in runs.items()}
    # A run that was watched is no arm of an experiment.
    document: dict[str, Any] = {
        "arms": [],
        "runs": {label: run for label, (run, _) in runs.items()},
        "store": store,
    }
    if png:
        from undertow.show import png as pictures

        pictures.write(output, page.figures(document, traces))
        return output
    diagnoses, budgets = diagnose_and_explain(traces)
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


def words(diagnoses: Mapping[str, DiagnoseDocument]) -> str:
    """Say in a sentence or two what each run showed, with its numbers.

    >>> words({"net": {"outcome": "healthy", "reason": "", "root_cause": None, "rules": [
    ...     {"code": "UT101", "outcome": "passed", "reason": "total -0.4 dex at the start"}]}})
    'net: total -0.4 dex at the start.'
    """
    said = []
    for name, document in diagnoses.items():
        root = document["root_cause"]
        passed = [each["reason"] for each in document["rules"] if each["outcome"] == "passed"]
        shown = root["evidence"] if root else document["reason"] or next(iter(passed), "")
        if shown:
            said.append(f"{name}: {shown}.")
    return " ".join(said)
