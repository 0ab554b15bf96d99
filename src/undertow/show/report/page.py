"""The report: one HTML file with every figure, table and word, that opens without a network.

The verdict stands first, in words, then the evidence, then the method. The JavaScript that draws
is in the file, once. What comes from a run (names of layers and arms, versions, messages) is text
wherever it stands: the template escapes, and `script_safe` keeps it from ending the script element
that holds the figures' data. A content security policy in the page forbids the browser to fetch
anything, and to run any script but the two that are named by their hashes.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from undertow import files as whole
from undertow.diagnosis.rules import RULES
from undertow.errors import UndertowError, needs
from undertow.show.figure import Figure, Kind, Traces, figure, lacking
from undertow.show.figures import KINDS
from undertow.show.figures.ranking import ranking
from undertow.show.figures.waterfall import waterfall
from undertow.show.report import brief, glossary, method, page_tables, questions
from undertow.show.report.citation import citation
from undertow.show.summary_text import theory
from undertow.show.terminal.verdict import verdicts
from undertow.show.theme import alt

OUTCOMES = ("stuck", "test-accuracy")


class Omission(NamedTuple):
    """A figure that is not drawn, or not for some arms, and why."""

    name: str
    reason: str


class Insight(NamedTuple):
    """What `undertow diagnose --json` and `undertow explain --json` say of each arm.

    >>> import undertow as ut
    >>> net = ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> found = ut.diagnose(ut.predict(net, [[1.0, 0.0], [0.0, 1.0]])).document()
    >>> insight = Insight(diagnoses={"sigmoid": found}, budgets={})
    >>> [(verdict.arms, verdict.cause) for verdict in verdicts(insight.diagnoses)]
    [(['sigmoid'], 'initialisation off critical')]
    """

    diagnoses: Mapping[str, Mapping[str, Any]]
    budgets: Mapping[str, Mapping[str, Any]]


NO_INSIGHT = Insight({}, {})


def figures(document: Mapping[str, Any], traces: Traces) -> list[Figure]:
    """Draw every figure that the traces can fill, and the ranking behind the outcomes.

    >>> import undertow as ut
    >>> net = ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> trace = ut.predict(net, [[1.0, 0.0], [0.0, 1.0]])
    >>> [figure.name for figure in figures({}, {"sigmoid": trace})]
    ['gradient-by-layer', 'delta-by-layer', 'gradient-over-time', 'activations']
    """
    return _with_ranking(document, _draw_all(_in_order(document, traces))[0])


def _with_ranking(document: Mapping[str, Any], drawn: Iterable[Figure]) -> list[Figure]:
    found = list(drawn)
    if ranked := ranking(document):
        outcomes = [place for place, each in enumerate(found) if each.name in OUTCOMES]
        found.insert(max(outcomes, default=-1) + 1, ranked)
    return found


def left_out(document: Mapping[str, Any], traces: Traces) -> list[Omission]:
    """Say which figures are not drawn, or lack an arm, and what for."""
    return _draw_all(_in_order(document, traces))[1]


def write(
    path: str | Path,
    document: Mapping[str, Any],
    traces: Traces,
    *,
    title: str,
    command: str,
    words: str,
    insight: Insight = NO_INSIGHT,
    again: str = "",
) -> Path:
    """Write the report, whole or not at all, and return its path.

    >>> import re, tempfile, undertow as ut
    >>> net = ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> traces = {"net": ut.predict(net, [[1.0, 0.0], [0.0, 1.0]])}
    >>> words = {"title": "My net", "command": "undertow report net", "words": "A prediction."}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write(f"{folder}/net.html", {}, traces, **words)
    ...     re.findall(r"<h[12][^>]*>([A-Z].*?)</h[12]>", path.read_text())
    ['My net', 'The verdict', 'The evidence', 'The method', 'Glossary', 'How to cite and reproduce']

    Parameters
    ----------
    path : path
        The file to write; a file that is there is replaced when the new one is whole.
    document : mapping
        What `undertow run --json` prints; of watched runs, their ids as `runs`.
    traces : mapping
        The trace of each arm.
    title, command, words : str
        The heading, the command that wrote the report, and what happened in a paragraph.
    insight : Insight
        Diagnoses and budgets of the arms, as far as there are any.
    again : str
        The command that trains the same networks anew, if there is one.

    Raises
    ------
    UndertowError
        The file cannot be written.
    """
    path = Path(path)
    content = page(
        document,
        traces,
        title=title,
        command=command,
        words=words,
        insight=insight,
        again=again,
    )
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
    again: str = "",
) -> str:
    """Return the report as HTML."""
    jinja2 = needs("jinja2", "show")
    traces = _in_order(document, traces)
    drawn, omitted = _draw_all(traces)
    groups = questions.group_figures([*falls(insight), *_with_ranking(document, drawn)])
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    safe = needs("markupsafe", "show").Markup
    scripts = {"bundle": bundle(), "script": asset("report.js")}
    return environment.from_string(asset("report.html.jinja")).render(
        title=title,
        policy=policy(scripts.values()),
        style=safe(asset("report.css")),
        brief=brief.brief(document, traces, words, insight.diagnoses),
        verdicts=verdicts(insight.diagnoses, insight.budgets),
        rules=len(RULES),
        theory=theory(document),
        claims=document.get("claims", ()),
        discussion=document.get("discussion", ()),
        arms=page_tables.arms(document, traces),
        quantities=page_tables.quantities(document),
        comparisons=page_tables.comparisons(document),
        groups=groups,
        specifications={
            each.figure.name: safe(script_safe(specification(each.figure)))
            for group in groups
            for each in group.figures
        },
        events=page_tables.events(traces),
        # Of a run that was watched nobody expects an experiment's figures.
        omitted=[] if all(each.source == "watched" for each in traces.values()) else omitted,
        networks=method.networks(traces),
        data=method.data(traces),
        trainings=method.trainings(traces),
        measured=method.how_measured(traces),
        norm=method.NORM,
        statistics=method.statistics(document, traces),
        versions=method.versions(traces),
        words=glossary.words(document),
        variables=glossary.variables(document, traces, groups, insight.diagnoses),
        codes=glossary.codes(insight.diagnoses),
        citation=citation(document, traces, command, again),
        **{name: safe(text) for name, text in scripts.items()},
    )


def policy(scripts: Iterable[str]) -> str:
    """Return the content security policy: fetch nothing, run these scripts and no other.

    >>> policy(["1"])
    "default-src 'none'; script-src 'sha256-a4ayc/80/OGda4BO/1o/V0etpOqiLx1JwB5S3beHW0s='; ..."
    """
    hashes = (b64encode(sha256(text.encode()).digest()).decode() for text in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def falls(insight: Insight) -> list[Figure]:
    """Draw the budget of the first arm, and of the one whose gradient changes least.

    >>> from undertow.explanation.budget import TERMS
    >>> def lost(dex):
    ...     layers = [{"name": "hidden_1", "total": -dex}]
    ...     terms = dict.fromkeys(TERMS, 0.0) | {"ceiling": -dex}
    ...     return {"total_dex": -dex, "terms": terms, "layers": layers}
    >>> (found,) = falls(Insight({}, {"sigmoid": lost(5.9), "tanh": lost(1.2), "relu": lost(0.3)}))
    >>> found.alt
    'Waterfalls of 2 budgets: ... sigmoid: total -5.90 dex; relu: total -0.30 dex.'
    """
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


def asset(name: str) -> str:
    """Read a file that lies beside this module."""
    return files("undertow.show.report").joinpath(name).read_text(encoding="utf-8").strip()


def _in_order(document: Mapping[str, Any], traces: Traces) -> Traces:
    """Put the traces in the order of the document's arms; others follow."""
    names = [arm["name"] for arm in document.get("arms", ()) if arm["name"] in traces]
    return {name: traces[name] for name in dict.fromkeys([*names, *traces])}


def _draw_all(traces: Traces) -> tuple[list[Figure], list[Omission]]:
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
