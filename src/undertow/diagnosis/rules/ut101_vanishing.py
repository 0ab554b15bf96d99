"""UT101: the gradient is lost on its way to the first layers."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.abrupt_changes import culprits, find_abrupt_changes, words
from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import (
    NotApplicable,
    NotMeasured,
    Outcome,
    Passed,
    Rule,
    make_found,
    middle,
    nowhere,
)
from undertow.diagnosis.shared_thresholds import (
    AT_ONCE,
    DOUBTFUL_LAYER,
    HALF_FALLEN,
    LARGE_UPDATE,
    STEPS,
    VANISHING_IDLE,
)
from undertow.diagnosis.threshold import Threshold
from undertow.diagnosis.towers import judge_towers

VANISHING = Threshold(
    "vanishing",
    -4.0,
    "dex",
    "Total dex from which on a gradient has vanished whatever else is seen. One 10-wide ReLU "
    "network in forty lies 1.2 dex below its kind by its seed alone, and healthy ones lose up "
    "to two.",
    lt=0,
    place=1,
)

MOVES = 1e-4  # of its norm a step: a last layer that does so has a learning rate that is no excuse
STARVED = 1.0  # dex below the last hidden layer


def check(reading: Evidence) -> Outcome:
    """Judge each tower of the network along its own way."""
    return judge_towers(_check_tower, reading)


def _check_tower(reading: Evidence) -> Outcome:
    """Compare the first hidden layer's delta with the last one's, and with what theory expects."""
    total = reading.total
    if np.isnan(total).all():
        if (reading.hidden & ~np.isnan(reading.log_delta)).sum(1).max(initial=0) < 2:
            return NotApplicable("fewer than two hidden layers have a delta")
        return NotMeasured("no delta is above 0")
    start = _is_vanished(reading, reading.log_delta, total)
    late = reading.total_of(reading.log_delta_at_end)
    later = _is_vanished(reading, reading.log_delta_at_end, late) & reading.idle
    where = start | later
    if not where.any():
        return Passed(f"total {middle(total, ~np.isnan(total)):+.1f} dex at the start")
    layers, evidence = nowhere(reading), ""
    for r in np.flatnonzero(where):
        profile, of = (reading.log_delta, total) if start[r] else (reading.log_delta_at_end, late)
        layers[r], said = _layers(reading, profile, r, of[r])
        evidence = evidence or said
    dex = middle(np.where(start, total, late), where)
    amount = f"{-dex:.1f} decades of delta are lost" if np.isfinite(dex) else "all of delta is lost"
    return make_found(
        where,
        layers,
        start,
        f"{amount} between the last hidden layer and the first" + evidence + _idle(reading, where),
    )


def _is_vanished(reading: Evidence, log_delta: np.ndarray, total: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        where = total < reading.limit(VANISHING)
        where |= (total < reading.limit(VANISHING_IDLE)) & reading.idle & _last_moves(reading)
        where |= _steep(reading, total) & _last_moves(reading)
        where |= (total < reading.limit(VANISHING_IDLE)) & _below_band(reading, total)
    for r in np.flatnonzero(~where):
        sizes = [each.dex for each in find_abrupt_changes(reading, log_delta, r, -1)]
        where[r] = max(sizes, default=0.0) > reading.limit(AT_ONCE) and total[r] < -1.0
    # Of no gradient at all there is another rule; a total of -inf is an underflow.
    return where & ~np.isnan(total) & (np.isfinite(total) | reading.underflows)


def _last_moves(reading: Evidence) -> np.ndarray:
    """Tell where the last layer's steps are no excuse: neither tiny nor too large, [R]."""
    places = np.flatnonzero(reading.matrix)
    last = reading.update_at_start()[:, places[-1]]
    right = (last > MOVES) & ~(last > reading.limit(LARGE_UPDATE))
    right &= ~reading.overshot
    return (np.isnan(last) | right) & (reading.broke_at == 0)


def _steep(reading: Evidence, total: np.ndarray) -> np.ndarray:
    """Tell where each layer takes as much as a sigmoid does, and the loss falls by little, [R].

    What falls then may be the last layers' work, which learn the targets' mean.
    """
    if reading.passed < reading.limit(STEPS):
        return np.zeros(len(total), bool)
    known = (reading.hidden & np.isfinite(reading.log_delta)).sum(1)
    a_layer = total / np.maximum(known - 1, 1)
    learned = reading.fall >= reading.limit(HALF_FALLEN)
    steep = (a_layer < reading.limit(DOUBTFUL_LAYER)) & (total < reading.limit(VANISHING_IDLE))
    return steep & ~learned & ~np.isnan(reading.fall) & ~reading.risen


def _below_band(reading: Evidence, total: np.ndarray) -> np.ndarray:
    """Tell where a total lies below what theory gives nearly all networks of its kind."""
    if reading.predicted is None or not reading.predicted.has("sd_dex"):
        return np.zeros(len(total), bool)
    expected = reading.predicted.total[0]
    spread = reading.predicted.start("sd_dex")[0]
    shift = 0.0
    if reading.predicted.has("median_shift_dex"):
        shifts = reading.predicted.start("median_shift_dex")[0]
        shift = float(np.nanmin(np.minimum(shifts, 0.0), initial=0.0))
    width = float(np.nanmax(spread, initial=0.0))
    with np.errstate(invalid="ignore"):
        return total < expected + shift - 2 * np.sqrt(2.0) * width


def _layers(
    reading: Evidence, log_delta: np.ndarray, r: int, total: float
) -> tuple[np.ndarray, str]:
    """Return the layers to name: the one that loses most of it, or all that starve."""
    marks = np.zeros(reading.layers, bool)
    if blamed := culprits(find_abrupt_changes(reading, log_delta, r, -1), total):
        marks[[each.culprit for each in blamed]] = True
        return marks, words(blamed, reading.names)
    places = np.flatnonzero(reading.hidden & ~np.isnan(log_delta[r]))
    with np.errstate(invalid="ignore"):
        starved = log_delta[r, places] < log_delta[r, places[-1]] - STARVED
    marks[places[starved]] = True
    marks[places[0]] = True
    return marks, ""


def _idle(reading: Evidence, where: np.ndarray) -> str:
    if not (where & np.isfinite(reading.fall) & (reading.passed >= reading.limit(STEPS))).any():
        return ""
    return f"; in {reading.passed} steps the loss has fallen by {_percent(reading, where)} %"


def _percent(reading: Evidence, where: np.ndarray) -> str:
    return f"{100 * middle(reading.fall, where):.0f}"


def remedies(evidence: Evidence, _: str) -> tuple[str, ...]:
    """Name what helps, by the activations at hand."""
    if "sigmoid" in evidence.activations:  # layer normalisation would not help: the mean stays
        return ("batch-norm", "residual-scaled", "tanh-lecun", "critical")
    if evidence.is_flat:
        return ("tanh-lecun", "batch-norm", "residual-scaled")
    return ("relu-he", "batch-norm", "residual-scaled")


RULE = Rule(
    "UT101",
    "vanishing gradient",
    "critical",
    ("delta_norm",),
    check,
    before=("UT102",),
    remedies=remedies,
)
