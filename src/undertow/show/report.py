"""The report: one HTML file with every figure, table and word, that opens without a network.

The JavaScript that draws is in the file, once. What comes from a run (names of layers and arms,
versions, messages) is text wherever it stands: the template escapes, and `script_safe` keeps it
from ending the script element that holds the figures' data. A content security policy in the page
forbids the browser to fetch anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from undertow.errors import UndertowError, needs
from undertow.show import page_tables, whole
from undertow.show.figure import Figure, Kind, Traces, figure, lacking
from undertow.show.figures import KINDS
from undertow.show.figures.ranking import ranking
from undertow.show.figures.waterfall import waterfall
from undertow.show.theme import alt
from undertow.show.verdict import verdicts
from undertow.trace.schema import VARIABLES

OUTCOMES = ("stuck", "test-accuracy")


class Omission(NamedTuple):
    """A figure that is not drawn, or not for some arms, and why."""

    name: str
    reason: str


class Insight(NamedTuple):
    """What `undertow diagnose --json` and `undertow explain --json` say of each arm."""

    diagnoses: Mapping[str, Mapping[str, Any]]
    budgets: Mapping[str, Mapping[str, Any]]


NO_INSIGHT = Insight({}, {})


def figures(document: Mapping[str, Any], traces: Traces) -> list[Figure]:
    """Draw every figure that the traces can fill, and the ranking behind the outcomes."""
    found = _drawn(_in_order(document, traces))[0]
    if ranked := ranking(document):
        outcomes = [place for place, each in enumerate(found) if each.name in OUTCOMES]
        found.insert(max(outcomes, default=-1) + 1, ranked)
    return found


def left_out(document: Mapping[str, Any], traces: Traces) -> list[Omission]:
    """Say which figures are not drawn, or lack an arm, and what for."""
    return _drawn(_in_order(document, traces))[1]


def write(
    path: str | Path,
    document: Mapping[str, Any],
    traces: Traces,
    *,
    title: str,
    command: str,
    words: str,
    insight: Insight = NO_INSIGHT,
) -> Path:
    """Write the report, whole or not at all, and return its path.

    Parameters
    ----------
    path : path
        The file to write; a file that is there is replaced when the new one is whole.
    document : mapping
        What `undertow run --json` prints.
    traces : mapping
        The trace of each arm.
    title, command, words : str
        The heading, the command that made the run, and the verdict in a paragraph.
    insight : Insight
        Diagnoses and budgets of the arms, as far as there are any.

    Raises
    ------
    UndertowError
        The file cannot be written.
    """
    path = Path(path)
    content = page(document, traces, title=title, command=command, words=words, insight=insight)
    try:
        whole.write(path, content.encode())
    except OSError as error:
        raise UndertowError(
            f"cannot write the report {path}: {error.strerror}. Name a file with --report"
        ) from None
    return path


def page(
    document: Mapping[str, Any],
    traces: Traces,
    *,
    title: str,
    command: str,
    words: str,
    insight: Insight = NO_INSIGHT,
) -> str:
    """Return the report as HTML."""
    jinja2 = needs("jinja2", "show")
    traces = _in_order(document, traces)
    omitted = _drawn(traces)[1]
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("undertow.show").joinpath("report.html.jinja").read_text(encoding="utf-8")
    safe = needs("markupsafe", "show").Markup
    return environment.from_string(source).render(
        title=title,
        words=words,
        command=command,
        claims=document.get("claims", ()),
        discussion=document.get("discussion", ()),
        arms=page_tables.arms(document, traces),
        comparisons=page_tables.comparisons(document),
        verdicts=verdicts(insight.diagnoses),
        networks=page_tables.networks(traces),
        method=page_tables.method(document, traces),
        figures=[
            (found, safe(script_safe(specification(found))))
            for found in (*falls(insight), *figures(document, traces))
        ],
        # Of a run that was watched nobody expects an experiment's figures.
        omitted=[] if all(each.source == "watched" for each in traces.values()) else omitted,
        variables=VARIABLES,
        bundle=safe(bundle()),
    )


def falls(insight: Insight) -> list[Figure]:
    """Draw the budget of the first arm, and of the one whose gradient changes least."""
    totals = {arm: abs(document["total_dex"]) for arm, document in insight.budgets.items()}
    if not totals:
        return []
    shown = dict.fromkeys((next(iter(totals)), min(totals, key=lambda arm: totals[arm])))
    found = waterfall({arm: insight.budgets[arm] for arm in shown})
    return [found] if found else []


def specification(figure: Figure) -> dict[str, Any]:
    """Return a figure's JSON without its words: the page sets those as text."""
    found = figure.chart.to_dict()
    found.pop("title", None)
    return found


def script_safe(value: Any) -> str:
    """Write JSON that cannot end the script element it stands in.

    >>> "<" in script_safe("</script><!--")
    False

    Raises
    ------
    ValueError
        A NaN or an infinity, which JSON does not have.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def bundle() -> str:
    """Return vega, vega-lite and vega-embed in one script, in the version that Altair writes."""
    version = ".".join(alt.VEGALITE_VERSION.split(".")[:2])
    return needs("vl_convert", "show").javascript_bundle(vl_version=f"v{version}")


def _in_order(document: Mapping[str, Any], traces: Traces) -> Traces:
    """Put the traces in the order of the document's arms; others follow."""
    names = [arm["name"] for arm in document.get("arms", ()) if arm["name"] in traces]
    return {name: traces[name] for name in dict.fromkeys([*names, *traces])}


def _drawn(traces: Traces) -> tuple[list[Figure], list[Omission]]:
    found, omitted = [], []
    for kind in KINDS:
        missing = {arm: lacking(kind, trace) for arm, trace in traces.items()}
        usable = {arm: trace for arm, trace in traces.items() if not missing[arm]}
        if usable:
            found.append(figure(kind.name, kind.draw(usable)))
        if len(usable) < len(traces):
            omitted.append(_omission(kind, missing))
    return found, omitted


def _omission(kind: Kind, missing: dict[str, list[str]]) -> Omission:
    lack = {arm: names for arm, names in missing.items() if names}
    what = ", ".join(dict.fromkeys(name for names in lack.values() for name in names))
    if len(lack) == len(missing):
        return Omission(kind.name, f"not drawn: the run holds no {what}")
    return Omission(kind.name, f"drawn without {', '.join(lack)}, which hold no {what}")
