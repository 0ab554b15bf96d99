"""A remedy's name becomes a changed trial: the same seeds and batches, one thing different."""

from __future__ import annotations

from collections.abc import Callable

from undertow.errors import SpecError
from undertow.spec.checked import with_changes
from undertow.spec.trial import Trial
from undertow.theory.signal.critical import critical

CENTRED = 16.0  # the weights' variance at which a centred sigmoid is critical: 1 / slope^2 at 0


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


def _network(trial: Trial, **changes: object) -> Trial:
    return trial.model_copy(update={"network": with_changes(trial.network, **changes)})


def _training(trial: Trial, **changes: object) -> Trial:
    return trial.model_copy(update={"training": with_changes(trial.training, **changes)})


def _critical(trial: Trial) -> Trial:
    """At the critical variance; of a sigmoid with the biases that take its mean off."""
    activation = trial.network.activation
    if activation == "sigmoid":
        return _network(trial, initialisation=f"centred_normal({CENTRED:g})", gain=1.0)
    point = critical(activation, 0.0)
    return _network(trial, initialisation=f"scaled_normal({point.weight_variance:g},0)", gain=1.0)


def _residual(trial: Trial) -> Trial:
    scale = round(trial.network.depth**-0.5, 4)
    return _network(trial, skips="identity", branch_scale=scale)


def _standardise(trial: Trial) -> Trial:
    data = with_changes(trial.data, standardised=True, scale=1.0, offset=0.0)
    return trial.model_copy(update={"data": data})


ON_TRIAL: dict[str, Callable[[Trial], Trial]] = {
    "batch-norm": lambda trial: _network(trial, normalisation="batch"),
    "layer-norm": lambda trial: _network(trial, normalisation="layer"),
    "residual-scaled": _residual,
    "critical": _critical,
    "tanh-lecun": lambda trial: _network(
        trial, activation="tanh", initialisation="lecun_normal", gain=1.0
    ),
    "relu-he": lambda trial: _network(
        trial, activation="relu", initialisation="he_normal", gain=1.0
    ),
    "selu": lambda trial: _network(
        trial, activation="selu", initialisation="lecun_normal", gain=1.0
    ),
    "leaky-relu": lambda trial: _network(trial, activation="leaky_relu"),
    "wider": lambda trial: _network(trial, width=min(64, 4 * trial.network.width)),
    "gradient-clip": lambda trial: _training(trial, clip=1.0),
    "learning-rate-down": lambda trial: _training(
        trial, learning_rate=trial.training.learning_rate / 10
    ),
    "learning-rate-up": lambda trial: _training(
        trial, learning_rate=trial.training.learning_rate * 10
    ),
    "larger-batch": lambda trial: _training(trial, batch_size=max(32, trial.training.batch_size)),
    "standardise-inputs": _standardise,
}
