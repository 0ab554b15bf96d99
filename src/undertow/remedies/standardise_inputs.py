"""Inputs of mean 0 and deviation 1."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy
from undertow.spec.checked import with_changes
from undertow.spec.trial import Trial


def on_trial(trial: Trial) -> Trial:
    """Standardise the data, and take scale and offset off."""
    data = with_changes(trial.data, standardised=True, scale=1.0, offset=0.0)
    return trial.model_copy(update={"data": data})


REMEDY = Remedy(
    name="standardise-inputs",
    advice="subtract the inputs' mean and divide by their standard deviation",
    on_trial=on_trial,
)
