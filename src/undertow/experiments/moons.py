"""Two moons and ten hidden layers of ten units: sigmoid against ReLU, the commonest demonstration.

Network, optimizer and arms `sigmoid` and `relu` are the published ones (docs/experiments/moons.md);
the others are ours, each to decide one of their claims.
"""

from __future__ import annotations

from undertow.experiments.claims import (
    c01_weight_change,
    c03_change_is_gradient,
    c04_sigmoid_or_tanh,
    c06_shallow,
    c07_batch_norm,
    c12_outer_edges,
    c13_leaky,
)
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.studies.experiment import Arm, Experiment

NETWORK = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
ADAM = TrainingSpec(optimizer="keras_adam", learning_rate=1e-3, batch_size=32, epochs=100)
SGD = with_changes(ADAM, optimizer="sgd", learning_rate=0.1)
LARGE = with_changes(ADAM, learning_rate=0.1)
RELU = with_changes(NETWORK, activation="relu")
LEAKY = with_changes(NETWORK, activation="leaky_relu")

EXPERIMENT = Experiment(
    name="moons",
    title="Two moons, 10 hidden layers of 10 units",
    data="moons",
    arms=(
        Arm("sigmoid", NETWORK, ADAM, "published"),
        Arm("relu", RELU, ADAM, "published"),
        Arm("tanh", with_changes(NETWORK, activation="tanh"), ADAM, "tanh in place of sigmoid"),
        Arm("leaky-relu", LEAKY, ADAM, "leaky ReLU, slope 0.01, in place of ReLU"),
        Arm(
            "sigmoid-batch-norm",
            with_changes(NETWORK, normalisation="batch"),
            ADAM,
            "batch normalisation before each sigmoid",
        ),
        Arm("sigmoid-shallow", with_changes(NETWORK, depth=2), ADAM, "2 hidden layers"),
        Arm("sigmoid-sgd", NETWORK, SGD, "plain SGD, learning rate 0.1, in place of Adam"),
        Arm("relu-sgd", RELU, SGD, "ReLU with plain SGD, learning rate 0.1"),
        Arm("relu-large-step", RELU, LARGE, "ReLU, learning rate 0.1: 100 times too large"),
        Arm("leaky-relu-large-step", LEAKY, LARGE, "leaky ReLU, learning rate 0.1"),
    ),
    baseline="sigmoid",
    replicates_in_lanes=100,
    claims=(
        c01_weight_change.CLAIM,
        c03_change_is_gradient.CLAIM,
        c04_sigmoid_or_tanh.CLAIM,
        c06_shallow.claim("sigmoid", "sigmoid-shallow"),
        c07_batch_norm.claim(("sigmoid", "sigmoid", "sigmoid-batch-norm")),
        c12_outer_edges.CLAIM,
        c13_leaky.CLAIM,
    ),
)
