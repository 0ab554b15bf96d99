"""A remedy's name becomes a changed trial: the same seeds and batches, one thing different."""

from __future__ import annotations

from undertow.errors import SpecError
from undertow.remedies import REMEDIES
from undertow.spec.trial import Trial

ON_TRIAL = {name: remedy.on_trial for name, remedy in REMEDIES.items() if remedy.on_trial}


def apply_to_trial(remedy: str, trial: Trial) -> Trial:
    """Apply a remedy that `undertow diagnose` names.

    >>> from undertow.experiments.presets import preset
    >>> apply_to_trial("batch-norm", preset("silence").trial).network.normalisation
    'batch'

    Raises
    ------
    SpecError
        A remedy that changes what no trial has: the user's own code.
    """
    if remedy not in ON_TRIAL:
        raise SpecError(f"remedy '{remedy}' cannot be applied here: {', '.join(ON_TRIAL)} can")
    return ON_TRIAL[remedy](trial)


def applies_to_trial(remedy: str, trial: Trial) -> bool:
    """Tell whether a remedy applies, and changes anything.

    >>> from undertow.experiments.presets import preset
    >>> trial = preset("silence").trial
    >>> [applies_to_trial(name, trial) for name in ("batch-norm", "wider", "reattach")]
    [True, True, False]
    """
    return remedy in ON_TRIAL and ON_TRIAL[remedy](trial) != trial
