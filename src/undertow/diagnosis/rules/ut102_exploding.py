"""UT102: the gradient grows on its way to the first layers."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.abrupt_changes import culprits, find_abrupt_changes, words
from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import (
    NotApplicable,
    Outcome,
    Passed,
    Rule,
    make_found,
    middle,
    nowhere,
)
from undertow.diagnosis.shared_thresholds import AT_ONCE, EXPLODING_IDLE, LARGE_UPDATE
from undertow.diagnosis.threshold import Threshold
from undertow.diagnosis.towers import judge_towers

EXPLODING = Threshold(
    "exploding",
    3.5,
    "dex",
    "Total dex from which on a gradient has exploded. Batch normalisation adds .08 dex a ReLU "
    "layer, residual streams one or two in all.",
    gt=0,
    place=3,
)
BOTH_WAYS = Threshold(
    "both_ways",
    0.4,
    "dex a layer",
    "Of delta on the way back and of the pre-activations on the way forward at once: weights "
    "2.5 times too large.",
    gt=0,
    place=7,
)

FLOODED = 1.0  # dex above the last hidden layer


def check(reading: Evidence) -> Outcome:
    """Judge each tower of the network along its own way."""
    return judge_towers(_check_tower, reading)


def _check_tower(reading: Evidence) -> Outcome:
    """Compare the first hidden layer's delta with the last one's."""
    total = reading.total
    if np.isnan(total).all():
        return NotApplicable("fewer than two hidden layers have a delta above 0")
    with np.errstate(invalid="ignore"):
        suffers = (reading.idle & ~_steps_too_far(reading)) | (reading.broke_at > 0)
        where = (total > reading.limit(EXPLODING)) | (
            (total > reading.limit(EXPLODING_IDLE)) & suffers
        )
    where |= _both_ways(reading, total)
    for r in np.flatnonzero(~where):
        sizes = [each.dex for each in find_abrupt_changes(reading, reading.log_delta, r, +1)]
        where[r] = max(sizes, default=0.0) > reading.limit(AT_ONCE) and total[r] > 1.0
    where &= np.isfinite(total)
    if not where.any():
        return Passed(f"total {middle(total, ~np.isnan(total)):+.1f} dex at the start")
    layers, at = nowhere(reading), ""
    for r in np.flatnonzero(where):
        if blamed := culprits(find_abrupt_changes(reading, reading.log_delta, r, +1), total[r]):
            layers[r, [each.culprit for each in blamed]] = True
            at = at or words(blamed, reading.names)
            continue
        places = np.flatnonzero(reading.hidden & ~np.isnan(reading.log_delta[r]))
        profile = reading.log_delta[r, places]
        layers[r, places[profile > profile[-1] + FLOODED]] = True
        layers[r, places[0]] = True
    dex = middle(total, where)
    evidence = f"delta grows by {dex:.1f} decades from the last hidden layer to the first{at}"
    broken = reading.broke_at[where & (reading.broke_at > 0)]
    if broken.size:
        evidence += f"; the first NaN or Inf came at step {broken.min()}"
    return make_found(where, layers, True, evidence)


def _both_ways(reading: Evidence, total: np.ndarray) -> np.ndarray:
    """Tell where each layer makes delta larger and its own numbers too: weights too large, [R].

    The loss may fall nonetheless, from where such weights have put it.
    """
    found_ = np.zeros(len(total), bool)
    if not reading.has("preactivation_rms"):
        return found_
    limit = reading.limit(BOTH_WAYS)
    sizes = np.log10(reading.birth("preactivation_rms"))
    for r in range(len(total)):
        back = np.flatnonzero(reading.hidden & np.isfinite(reading.log_delta[r]))
        ahead = np.flatnonzero(reading.matrix & np.isfinite(sizes[r]))
        if min(len(back), len(ahead)) > 1 and total[r] > 1.0:
            forward = (sizes[r, ahead[-1]] - sizes[r, ahead[0]]) / (len(ahead) - 1)
            found_[r] = min(total[r] / (len(back) - 1), forward) > limit
    return found_


def _steps_too_far(reading: Evidence) -> np.ndarray:
    """Tell where the last layer's own updates are too large: then the step size is the cause."""
    last = reading.update_at_start()[:, np.flatnonzero(reading.matrix)[-1]]
    with np.errstate(invalid="ignore"):
        return last > reading.limit(LARGE_UPDATE)


def remedies(evidence: Evidence, _: str) -> tuple[str, ...]:
    """Name what helps, by the layers at hand."""
    if "batch_norm" in evidence.kinds:
        return ("residual-scaled", "layer-norm", "gradient-clip")
    if evidence.is_flat:
        return ("tanh-lecun", "critical", "layer-norm", "gradient-clip")
    return ("relu-he", "residual-scaled", "layer-norm", "gradient-clip")


RULE = Rule(
    "UT102",
    "exploding gradient",
    "critical",
    ("delta_norm",),
    check,
    before=("UT107",),
    remedies=remedies,
)
