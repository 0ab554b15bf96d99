"""MNIST, 5 layers against 20, sigmoid against ReLU: where gradients vanish, and where they grow.

The published demonstration is the four arms of depth and activation; the other initialisations of
ReLU, and tanh, are ours, each to decide a claim (docs/experiments/mnist-depth.md).
"""

from __future__ import annotations

from undertow.experiments.claims import c05_relu_explodes, c06_shallow, c14_exponential
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.studies.experiment import Arm, Experiment

SHALLOW = NetworkSpec(inputs=784, outputs=10, depth=5, width=64, activation="sigmoid")
DEEP = with_changes(SHALLOW, depth=20)
RELU = with_changes(DEEP, activation="relu")
ADAM = TrainingSpec(
    optimizer="keras_adam", learning_rate=1e-3, batch_size=128, epochs=5, loss="cross_entropy"
)
ABOVE_HE = 1.5

EXPERIMENT = Experiment(
    name="mnist-depth",
    title="MNIST, 5 and 20 hidden layers of 64 units",
    data="mnist",
    arms=(
        Arm("sigmoid-5", SHALLOW, ADAM, "published"),
        Arm("sigmoid-20", DEEP, ADAM, "published"),
        Arm("relu-5", with_changes(SHALLOW, activation="relu"), ADAM, "published"),
        Arm("relu-20", RELU, ADAM, "published; Glorot's weights"),
        Arm("relu-20-he", with_changes(RELU, initialisation="he_normal"), ADAM, "He's weights"),
        Arm(
            "relu-20-above-he",
            with_changes(RELU, initialisation="he_normal", gain=ABOVE_HE),
            ADAM,
            f"{ABOVE_HE:g} times He's weights",
        ),
        Arm("tanh-5", with_changes(SHALLOW, activation="tanh"), ADAM, "tanh in place of sigmoid"),
        Arm("tanh-20", with_changes(DEEP, activation="tanh"), ADAM, "tanh in place of sigmoid"),
    ),
    baseline="sigmoid-20",
    claims=(
        c05_relu_explodes.CLAIM,
        c06_shallow.claim("sigmoid-20", "sigmoid-5"),
        c14_exponential.CLAIM,
    ),
    replicates=10,
    every=10,
)
