"""UT102: the gradient grows on its way to the first layers."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.breaks import is_local, largest
from undertow.diagnosis.reading import Reading
from undertow.diagnosis.rule import NotApplicable, Outcome, Passed, Rule, found, middle, nowhere

FLOODED = 1.0  # dex above the last hidden layer


def check(reading: Reading) -> Outcome:
    """Compare the first hidden layer's delta with the last one's."""
    total = reading.total
    if np.isnan(total).all():
        return NotApplicable("fewer than two hidden layers have a delta above 0")
    limits = reading.limits
    with np.errstate(invalid="ignore"):
        suffers = (reading.idle & ~_steps_too_far(reading)) | (reading.broke_at > 0)
        where = (total > limits.exploding) | ((total > limits.exploding_idle) & suffers)
    for r in np.flatnonzero(~where):
        gained = largest(reading, reading.log_delta, r, +1)
        where[r] = gained is not None and gained.dex > limits.break_ and total[r] > 1.0
    where &= ~np.isnan(total)
    if not where.any():
        return Passed(f"total {middle(total, ~np.isnan(total)):+.1f} dex at the start")
    layers, words = nowhere(reading), ""
    for r in np.flatnonzero(where):
        gained = largest(reading, reading.log_delta, r, +1)
        if gained and is_local(gained, total[r]):
            layers[r, gained.culprit] = True
            words = words or f", {gained.dex:.1f} of them at '{reading.names[gained.culprit]}'"
            continue
        places = np.flatnonzero(reading.hidden & ~np.isnan(reading.log_delta[r]))
        profile = reading.log_delta[r, places]
        layers[r, places[profile > profile[-1] + FLOODED]] = True
        layers[r, places[0]] = True
    dex = middle(total, where)
    evidence = f"delta grows by {dex:.1f} decades from the last hidden layer to the first{words}"
    broken = reading.broke_at[where & (reading.broke_at > 0)]
    if broken.size:
        evidence += f"; the first NaN or Inf came at step {broken.min()}"
    return found(where, layers, True, evidence)


def _steps_too_far(reading: Reading) -> np.ndarray:
    """Tell where the last layer's own updates are too large: then the step size is the cause."""
    last = reading.update_at_start()[:, np.flatnonzero(reading.matrix)[-1]]
    with np.errstate(invalid="ignore"):
        return last > reading.limits.large_update


RULE = Rule("UT102", "exploding gradient", "critical", ("delta_norm",), check)
