"""The critical initialisation."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy
from undertow.spec.trial import Trial, with_network

CENTRED = 16.0  # the weights' variance at which a centred sigmoid is critical: 1 / slope^2 at 0


def on_trial(trial: Trial) -> Trial:
    """Draw at the critical variance; for a sigmoid, with the biases that centre it."""
    from undertow.theory.signal.critical import critical  # SciPy takes half a second to import

    activation = trial.network.activation
    if activation == "sigmoid":
        return with_network(trial, initialisation=f"centred_normal({CENTRED:g})", gain=1.0)
    point = critical(activation, 0.0)
    initialisation = f"scaled_normal({point.weight_variance:g},0)"
    return with_network(trial, initialisation=initialisation, gain=1.0)


REMEDY = Remedy(
    name="critical",
    advice="draw the initial weights at the activation's critical variance (ut.critical)",
    strength=(
        "Sigmoid layers become tanh layers in disguise: centred, neither shrinking nor growing."
    ),
    weakness="Biases must be tied to the weights at the start, and training may undo both.",
    applies="Where a sigmoid is required.",
    on_trial=on_trial,
)
