"""Fashion-MNIST, seven sigmoid layers that do not learn, and what is said to cure them.

The ten published arms are as their notebook has them (docs/experiments/fashion-remedies.md); nine
more are ours, and a placebo shows how far apart two arms come by chance.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

from undertow.experiments.claims import (
    c09_weights_near_zero,
    c10_layer_wise,
    c11_gradient_norm,
    c14_outer_layers,
    c15_adam,
)
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.studies.experiment import Arm, Experiment

NETWORK = NetworkSpec(
    inputs=784,
    outputs=10,
    depth=7,
    width=128,
    activation="sigmoid",
    initialisation="torch_default",
)
SMALL = with_changes(NETWORK, initialisation="normal(0.05)")  # what most published arms also change
SGD = TrainingSpec(
    optimizer="sgd", learning_rate=1e-2, batch_size=512, epochs=20, loss="cross_entropy"
)
ADAM = with_changes(SGD, optimizer="adam", learning_rate=1e-3)
GROWN = with_changes(SGD, stages=((2, 0), (4, 2), (6, 4), (7, 0)))


# Test accuracies in the published table, one network each after 100 epochs; `layer-wise` after the
# last of its four stages.
PUBLISHED_ACCURACY = {
    "baseline": 0.0995,
    "init-std-1": 0.7311,
    "init-std-10": 0.2275,
    "relu": 0.8003,
    "adam": 0.8670,
    "batch-norm": 0.8765,
    "tensor-norm": 0.8443,
    "skip": 0.6667,
    "layer-wise": 0.4257,
    "gradient-norm": 0.0995,
}


def _network(base: NetworkSpec, name: str, note: str, **changes: Any) -> Arm:
    return Arm(name, with_changes(base, **changes), SGD, note)


PUBLISHED = (
    Arm("baseline", NETWORK, SGD, "published: sigmoid, SGD, PyTorch's default weights"),
    _network(NETWORK, "init-std-1", "published: weights N(0, 1)", initialisation="normal(1)"),
    _network(NETWORK, "init-std-10", "published: weights N(0, 10)", initialisation="normal(10)"),
    _network(SMALL, "relu", "published: ReLU; weights N(0, .05)", activation="relu"),
    Arm("adam", SMALL, ADAM, "published: Adam; weights N(0, .05)"),
    _network(
        SMALL,
        "batch-norm",
        "published: batch normalisation before each sigmoid; weights N(0, .05)",
        normalisation="batch",
    ),
    _network(
        SMALL,
        "tensor-norm",
        "published: (z - mean) / sd over the whole tensor; weights N(0, .05)",
        normalisation="tensor",
    ),
    _network(
        SMALL,
        "skip",
        "published: layer 1 added to layer 3, layer 4 to layer 7; weights N(0, .05)",
        skips=((1, 3), (4, 7)),
    ),
    Arm(
        "layer-wise",
        with_changes(SMALL, head_initialisation="torch_default"),
        GROWN,
        "published: 2 layers, then 2 more twice, the lower ones frozen, then all 7",
    ),
    _network(
        NETWORK,
        "gradient-norm",
        "published: the gradient standardised behind each sigmoid",
        gradient="standardised",
    ),
)

OURS = (
    _network(
        NETWORK,
        "critical",
        "weight variance 16 / fan_in, biases that centre: tanh in disguise",
        initialisation="centred_normal(16)",
    ),
    _network(
        NETWORK,
        "tanh-lecun",
        "tanh, LeCun's weights",
        activation="tanh",
        initialisation="lecun_normal",
    ),
    _network(
        NETWORK, "relu-he", "ReLU, He's weights", activation="relu", initialisation="he_normal"
    ),
    _network(
        NETWORK, "selu", "SELU, LeCun's weights", activation="selu", initialisation="lecun_normal"
    ),
    _network(SMALL, "layer-norm", "layer normalisation; weights N(0, .05)", normalisation="layer"),
    _network(
        NETWORK,
        "residual-scaled",
        "a skip around each layer from the second, branches scaled by 1 / sqrt(7)",
        skips="identity",
        branch_scale=1 / sqrt(7),
    ),
    Arm("gradient-clip", NETWORK, with_changes(SGD, clip=1.0), "gradients clipped to a norm of 1"),
    _network(
        NETWORK,
        "gradient-unit",
        "the gradient scaled, behind each sigmoid, to a norm of 1",
        gradient="unit",
    ),
    Arm("adam-only", NETWORK, ADAM, "Adam, rate 1e-3, in place of SGD, rate 1e-2"),
    Arm("placebo", NETWORK, SGD, "the baseline again, from fresh seeds", placebo=True),
)

EXPERIMENT = Experiment(
    name="fashion-remedies",
    title="Fashion-MNIST, 7 hidden layers of 128 units, and the remedies",
    data="fashion-mnist",
    arms=PUBLISHED + OURS,
    baseline="baseline",
    claims=(
        c09_weights_near_zero.CLAIM,
        c10_layer_wise.CLAIM,
        c11_gradient_norm.CLAIM,
        c14_outer_layers.CLAIM,
        c15_adam.CLAIM,
    ),
    replicates=8,
    every=10,
    train_samples=54_000,
    discussed=True,
)
