"""How values show themselves, registered: `undertow` imports this when one first does.

Text and HTML need the core alone; a chart and a report say in one line what to install.
"""

from __future__ import annotations

import io
from typing import Any

from undertow.diagnosis.diagnose import Diagnosis
from undertow.errors import SpecError, needs
from undertow.explanation.budget import Budget
from undertow.numerals import without_nan
from undertow.show.notebook import values
from undertow.show.terminal import trace_table, verdict
from undertow.show.trace_summary import name_of
from undertow.trace import showing
from undertow.trace.record import Trace
from undertow.verbs.explain import summed_up

WIDTH = 80  # columns of what `str` returns, whatever the terminal


def plot_trace(trace: Trace, variable: str) -> Any:
    """Draw a norm by layer, at the first step and at the end."""
    needs("altair", "show")
    from undertow.show.figure import lacking
    from undertow.show.figures.profile import DELTAS, GRADIENTS, profile

    kinds = {"grad_norm": GRADIENTS, "delta_norm": DELTAS}
    if variable not in kinds:
        raise SpecError(f"plot: variable '{variable}': one of {', '.join(kinds)}")
    if not trace.dataset.sizes["step"] or lacking(kinds[variable], trace):
        raise SpecError(f"plot: the trace holds no {variable}")
    return profile({name_of(trace): trace}, variable)


def plot_budget(budget: Budget) -> Any:
    """Draw the waterfall, by cause and by layer."""
    needs("altair", "show")
    from undertow.show.figures.waterfall import waterfall

    drawn = waterfall({"this model": summed_up(budget)})
    assert drawn
    return drawn.chart


def report_trace(trace: Trace, path: str) -> str:
    """Write the report of one trace; return the path."""
    from undertow.verbs import report, report_watched
    from undertow.verbs.which_study import known_study

    report.check_report(path)
    name, command = name_of(trace), f"trace.report({path!r})"
    if trace.source == "watched":
        return report_watched.report({name: (name, trace)}, path, png=False, command=command)
    if "experiment" not in trace.attributes:
        raise SpecError(f"a report of a {trace.source} trace: only of runs; type  trace.plot()")
    runs = {name: ("", trace)}
    known = known_study(str(trace.attributes["experiment"]), runs)
    document = report.study_document(known, runs, networks=0, seconds=0.0, store="", report=path)
    report.write_report(path, document, known, runs, command)
    return path


def _printed(*parts: Any) -> str:
    from rich.console import Console

    console = Console(
        file=io.StringIO(), width=WIDTH, markup=False, highlight=False, color_system=None
    )
    with console.capture() as capture:
        console.print(*parts, sep="\n")
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())


def _budget_text(budget: Budget) -> str:
    document = summed_up(budget)
    return f"{_printed(document['summary'])}\n{_printed(verdict.budget(document))}"


showing.register(
    Trace,
    {
        "text": lambda trace: _printed(trace_table.trace(trace)),
        "html": values.trace,
        "plot": plot_trace,
        "report": report_trace,
    },
)
showing.register(
    Diagnosis,
    {
        "text": lambda found: _printed(verdict.diagnosis(without_nan(found.document()), "verdict")),
        "html": lambda found: values.diagnosis(without_nan(found.document())),
    },
)
showing.register(
    Budget,
    {
        "text": _budget_text,
        "html": lambda budget: values.budget(summed_up(budget)),
        "plot": plot_budget,
    },
)
