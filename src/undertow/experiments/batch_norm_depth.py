"""Fifty ReLU layers with and without batch normalisation, with and without skips.

Batch normalisation without skips makes the gradient grow by sqrt(pi / (pi - 1)) = 1.21 a layer
(Yang et al. 2019, arXiv:1902.08129); its own cure is the skip.
"""

from __future__ import annotations

from undertow.experiments.claims import c07_batch_norm
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.studies.experiment import Arm, Experiment

PLAIN = NetworkSpec(
    inputs=64,
    outputs=10,
    depth=50,
    width=64,
    activation="relu",
    initialisation="he_normal",
)
NORMED = with_changes(PLAIN, normalisation="batch")
SGD = TrainingSpec(
    optimizer="sgd", learning_rate=1e-2, batch_size=128, epochs=10, loss="cross_entropy"
)

EXPERIMENT = Experiment(
    name="batch-norm-depth",
    title="Digits, 50 hidden ReLU layers of 64 units, with and without batch normalisation",
    data="digits",
    arms=(
        Arm("plain", PLAIN, SGD, "ReLU, He's weights"),
        Arm("batch-norm", NORMED, SGD, "batch normalisation before each ReLU"),
        Arm("skip", with_changes(PLAIN, skips="identity"), SGD, "a skip around each layer"),
        Arm("batch-norm-skip", with_changes(NORMED, skips="identity"), SGD, "both"),
    ),
    baseline="plain",
    claims=(
        c07_batch_norm.claim(
            ("without skips", "plain", "batch-norm"),
            ("with skips", "skip", "batch-norm-skip"),
            growth_of="batch-norm",
        ),
    ),
    replicates=10,
)
