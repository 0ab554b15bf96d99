"""Claim 2: the change of weights that one README prints beside the weights themselves."""

from __future__ import annotations

import numpy as np

from undertow.experiments.claims.wording import median
from undertow.numerals import grouped
from undertow.studies.experiment import Arms, Claim, ClaimVerdict
from undertow.trace.record import Trace

# As printed in github.com/vedantgoswami/Vanishing-Gradient-Problem, README, "For Sigmoid".
BEFORE = (
    -0.1077401, 0.43455356, -0.60425615, -0.53927976, -0.190355,
    -0.12216991, 0.17259805, -0.29025432, -0.34041786, 0.5119183,
)  # fmt: skip
AFTER = (
    0.53107524, 0.12173636, 0.5073124, 0.54416114, -0.19135918,
    -0.08547983, 0.56848377, 0.44454524, -0.6231898, 0.0601779,
)  # fmt: skip
PRINTED = (
    -0.00113249, -0.00108778, -0.00292063, -0.00071526, -0.00165403,
    -0.00002235, -0.00202656, -0.00181794, 0.00232458, -0.00081211,
)  # fmt: skip
ROUNDING = 1e-6


def _after_one_epoch(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Mean |change| of the first input's weights, rightly indexed and as the notebook did; [R]."""
    start, after = trace.artefacts["first_layer_weights"][:2]
    right = np.abs(after[:, 0] - start[:, 0]).mean(1)
    crossed = np.abs(after[:, 0] - start[:, 1]).mean(1)
    return right, crossed


def _judge(arms: Arms) -> ClaimVerdict:
    before, after, printed = (np.array(row) for row in (BEFORE, AFTER, PRINTED))
    differences = {"new - old": after - before, "old - new": before - after}
    follows = any(
        np.allclose(difference, printed, atol=ROUNDING) for difference in differences.values()
    )
    sigmoid, crossed = _after_one_epoch(arms["sigmoid"])
    relu, _ = _after_one_epoch(arms["relu"])
    return ClaimVerdict(
        "supported" if follows else "contradicted",
        "The printed weights differ by "
        f"{grouped(float(np.abs(after - before).mean()))} on average, the printed changes are "
        f"{grouped(float(np.abs(printed).mean()))}: the row before is "
        "another input's than the row after. Measured here after one epoch, same row, mean "
        f"absolute change, median over networks: sigmoid {median(sigmoid)}, ReLU {median(relu)}; "
        f"with the rows crossed as printed it would read {median(crossed)}.",
    )


CLAIM = Claim(
    2,
    "The printed first-layer weights before and after one epoch differ by the printed change.",
    ("sigmoid", "relu"),
    _judge,
)
