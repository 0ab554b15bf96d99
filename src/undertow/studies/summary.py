"""Traces become the numbers of `undertow run --json` (docs/json.md says what each one is)."""

from __future__ import annotations

from math import ceil, log2

import numpy as np

from undertow.numerals import finite
from undertow.remedies.discussion import discussion
from undertow.statistics.comparison import SIGNIFICANT, Comparison, compare, holm
from undertow.statistics.permutation import smallest_p
from undertow.statistics.stuck import stuck_count
from undertow.statistics.summary import summarise
from undertow.studies.description import Description
from undertow.studies.expected import disagreement
from undertow.studies.experiment import Experiment, judge
from undertow.studies.summary_document import (
    ArmSummary,
    ClaimSummary,
    ComparisonSummary,
    FirstAndLast,
    LayerSummary,
    StudySummary,
    TheorySummary,
)
from undertow.trace import readings
from undertow.trace.record import Trace
from undertow.trace.schema import VARIABLES


def document(study: Experiment | Description, runs: dict[str, tuple[str, Trace]]) -> StudySummary:
    """Summarise the runs of an experiment, {arm: (run, trace)}, as one JSON-ready document.

    >>> from undertow.data.dataset import load
    >>> from undertow.engine.choice import header, train
    >>> from undertow.experiments import experiment
    >>> from undertow.spec.training import TrainingSpec
    >>> from undertow.trace.record import build
    >>> moons, chunks = experiment("moons"), []
    >>> given = moons.arm("relu").network, TrainingSpec(epochs=1), load("moons"), [0, 1]
    >>> artefacts = train(*given, chunks.append, engine="torch")
    >>> trace = build(header(*given, engine="torch"), chunks, (), artefacts)
    >>> found = document(moons, {"relu": ("moons-relu", trace)})
    >>> found["arms"][0]["parameters"], len(found["arms"][0]["test_accuracy"]["values"])
    (1031, 2)
    >>> found["claims"][0]["evidence"]
    'needs the arms sigmoid, sigmoid-sgd, relu-sgd, which were not run'
    """
    traces = {arm: trace for arm, (_, trace) in runs.items()}
    arms = [arm_summary(arm, run, trace) for arm, (run, trace) in runs.items()]
    return {
        "arms": arms,
        "discussion": discussion(arms, study.baseline) if study.discussed else [],
        "comparisons": comparisons(study.baseline, traces),
        "claims": [
            ClaimSummary(claim=claim.text, **judge(claim, traces)._asdict())
            for claim in study.claims
        ],
    }


def arm_summary(arm: str, run: str, trace: Trace) -> ArmSummary:
    """Summarise one arm: statistics over its replicates, undefined ones null."""
    accuracy = readings.test_accuracy(trace)
    summary = summarise(accuracy)
    count = stuck_count(readings.is_stuck(trace))
    rate = readings.learning_rate(trace)
    return {
        "name": arm,
        "run": run,
        "parameters": parameters(trace),
        "test_accuracy": {
            "mean": summary.mean,
            "sd": summary.sd,
            "median": summary.median,
            "iqm": summary.iqm,
            "ci95": list(summary.ci95) if summary.ci95 else None,
            "stuck": count.stuck,
            "stuck_ci95": list(count.interval) if count.interval else None,
            "values": [finite(value) for value in accuracy],
        },
        "train_loss": _first_and_last(trace, "loss"),
        "layers": _layers(trace),
        "first_layer_weight_change": {
            "percent": _median(readings.percent_change(trace)),
            "over_learning_rate": _median(readings.absolute_change(trace) / rate),
        },
        "total_dex": _median(readings.total_dex(trace)),
        "theory": _theory(trace),
    }


def _theory(trace: Trace) -> TheorySummary | None:
    """How far the gradients at step 1 lie from what theory expects of them."""
    off = disagreement(trace)
    if off is None:
        return None
    with np.errstate(divide="ignore"):
        logs = np.log10(trace.attributes["predicted"]["grad_norm"])
    return {
        "log10_grad_norm": [finite(value) for value in logs],
        "disagreement_dex": [finite(value) for value in off],
        "median_dex": _median(np.abs(off)),
    }


def comparisons(baseline: str, traces: dict[str, Trace]) -> list[ComparisonSummary]:
    """Compare each arm's test accuracy with the baseline's, seed by seed, p-values after Holm."""
    if baseline not in traces:
        return []
    others = [arm for arm in traces if arm != baseline]
    base = readings.test_accuracy(traces[baseline])
    seeds = {arm: trace.dataset["seed"].values.tolist() for arm, trace in traces.items()}
    paired = [seeds[arm] == seeds[baseline] for arm in others]
    found = [
        compare(readings.test_accuracy(traces[arm]), base, paired=pair)
        for arm, pair in zip(others, paired, strict=True)
    ]
    adjusted = holm([comparison.p_value for comparison in found])
    tests = sum(comparison.p_value is not None for comparison in found)
    notes = [
        note_of(comparison, len(base), tests) if pair else comparison.note
        for comparison, pair in zip(found, paired, strict=True)
    ]
    return [
        {
            "arm": arm,
            "baseline": baseline,
            "difference": comparison.difference,
            "ci95": list(comparison.ci95) if comparison.ci95 else None,
            "p_value": comparison.p_value,
            "p_holm": p_holm,
            "probability_of_improvement": comparison.probability_of_improvement,
            "note": note,
        }
        for arm, comparison, p_holm, note in zip(others, found, adjusted, notes, strict=True)
    ]


def note_of(comparison: Comparison, seeds: int, tests: int) -> str:
    """Return a comparison's note; it says where Holm's correction leaves no p-value a chance."""
    smallest = tests * smallest_p(seeds)
    if comparison.p_value is None or smallest < SIGNIFICANT:
        return comparison.note
    needed = seeds + ceil(log2(smallest / SIGNIFICANT) + 1e-9)
    line = (
        f"{seeds} seeds can never reach p < .05 among {tests} comparisons (the smallest possible "
        f"is {smallest:.2g}); {needed} could"
    )
    return "; ".join(part for part in (comparison.note, line) if part)


def parameters(trace: Trace) -> int:
    """How many numbers each network trains."""
    from undertow.spec.network import NetworkSpec

    return NetworkSpec(**trace.attributes["network"]).parameters


def _layers(trace: Trace) -> list[LayerSummary]:
    names = [
        name
        for name, variable in VARIABLES.items()
        if variable.of_arms and "layer" in variable.dims and name in trace.dataset
    ]
    first = {name: _medians(readings.first_step(trace, name)) for name in names}
    last = {name: _medians(readings.last_epoch(trace, name)) for name in names}
    return [
        {
            "name": str(layer),
            "depth": int(depth),
            **{name: {"first": first[name][place], "last": last[name][place]} for name in names},
        }
        for place, (layer, depth) in enumerate(
            zip(trace.dataset["layer"].values, trace.dataset["depth"].values, strict=True)
        )
    ]


def _first_and_last(trace: Trace, name: str) -> FirstAndLast:
    return {
        "first": _median(readings.first_step(trace, name)),
        "last": _median(readings.last_epoch(trace, name)),
    }


def _medians(values: np.ndarray) -> list[float | None]:
    return [_median(column) for column in values.T]


def _median(values: np.ndarray) -> float | None:
    return finite(np.median(values))
