"""Two noisy circles and eleven hidden layers of ten units, looked at after one epoch and after 100.

The published demonstration stops after one epoch; training goes on here, and the first layer's
weights are kept at both moments (docs/experiments/circles.md).
"""

from __future__ import annotations

from undertow.experiments.claims import c02_printed_change, c08_small_derivatives, c12_outer_edges
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.studies.experiment import Arm, Experiment

NETWORK = NetworkSpec(inputs=2, outputs=1, depth=11, width=10, activation="sigmoid")
ADAM = TrainingSpec(optimizer="keras_adam", learning_rate=1e-3, batch_size=32, epochs=100)

EXPERIMENT = Experiment(
    name="circles",
    title="Two circles, 11 hidden layers of 10 units",
    data="circles",
    arms=(
        Arm("sigmoid", NETWORK, ADAM, "published"),
        Arm("relu", with_changes(NETWORK, activation="relu"), ADAM, "published"),
        Arm("tanh", with_changes(NETWORK, activation="tanh"), ADAM, "in the published notebook"),
        Arm(
            "sigmoid-batch-norm",
            with_changes(NETWORK, normalisation="batch"),
            ADAM,
            "the cure that the README names",
        ),
    ),
    baseline="sigmoid",
    replicates_in_lanes=100,
    claims=(c02_printed_change.CLAIM, c08_small_derivatives.CLAIM, c12_outer_edges.CLAIM),
)
