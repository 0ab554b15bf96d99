"""The names, dimensions and meanings that every trace keeps to; docs/trace-schema.md in code.

>>> VARIABLES["grad_norm"].dims
('replicate', 'step', 'layer')
"""

from __future__ import annotations

from typing import NamedTuple

VERSION = 1

NOT_CALLED = "it was not called"  # why a watch has not seen a layer: no forward pass reached it

SOURCES = ("predicted", "trained", "watched")


SATURATED_BELOW = 0.05  # of an activation's largest slope
HISTOGRAM_BINS, HISTOGRAM_EDGE = 80, 10.0  # equal bins from -edge to edge


class Column(NamedTuple):
    """How a table of layers shows a variable; the tables have them in the schema's order.

    >>> Column("dead", "dead", "share").goes
    0

    `form` is "decades" (its log10), "share" (in percent) or "count". `over` names the variable that
    it is shown as a ratio to. `goes` says which column goes first for lack of room: 1 before 2, and
    0 never.
    """

    name: str
    heading: str
    form: str
    goes: int = 0
    over: str = ""


class Variable(NamedTuple):
    """One measured quantity: what it is, and where it is shown beside the export.

    With a `column` tables of layers have it; with `of_arms` the summary of a study's arms, and the
    report's table of variables.
    """

    dims: tuple[str, ...]
    unit: str
    meaning: str
    column: Column | None = None
    of_arms: bool = False


DIMS = ("replicate", "step", "layer")
_PER_LAYER = DIMS
_PER_STEP = ("replicate", "step")

VARIABLES: dict[str, Variable] = {
    "grad_norm": Variable(
        _PER_LAYER,
        "loss",
        "Frobenius norm of dE/dW",
        Column("|dE/dW|", "log10\n|dE/dW|", "decades"),
        of_arms=True,
    ),
    "grad_mean_abs": Variable(_PER_LAYER, "loss", "mean absolute entry of dE/dW"),
    "delta_norm": Variable(
        _PER_LAYER,
        "loss",
        "Frobenius norm of dE/dz at the layer's output tensor",
        Column("|dE/dz|", "log10\n|dE/dz|", "decades", goes=4),
        of_arms=True,
    ),
    "weight_norm": Variable(_PER_LAYER, "1", "Frobenius norm of W before the update"),
    "update_norm": Variable(
        _PER_LAYER,
        "1",
        "Frobenius norm of the change applied to W",
        Column("|ΔW|/|W|", "log10\n|ΔW|/|W|", "decades", goes=6, over="weight_norm"),
    ),
    "update_norm_se": Variable(
        _PER_LAYER,
        "1",
        "standard error of update_norm, where it is estimated from some entries of W; else 0",
    ),
    "activation_rms": Variable(
        _PER_LAYER, "1", "root mean square after the activation function, over units and samples"
    ),
    "preactivation_rms": Variable(
        _PER_LAYER, "1", "root mean square before the activation function, over units and samples"
    ),
    "slope_rms": Variable(
        _PER_LAYER, "1", "root mean square of the activation's slope over units and samples"
    ),
    "saturated_fraction": Variable(
        _PER_LAYER,
        "share",
        f"share of (unit, sample) pairs whose slope is under {100 * SATURATED_BELOW:.0f} % of the "
        "activation's largest",
        Column("saturated", "satu-\nrated", "share", goes=2),
    ),
    "dead_fraction": Variable(
        _PER_LAYER,
        "share",
        "share of units with zero slope for every sample of the batch",
        Column("dead", "dead", "share", goes=5),
    ),
    "distinct_units": Variable(
        _PER_LAYER,
        "share",
        "share of units whose incoming weights differ from those of every other unit",
    ),
    "nonfinite": Variable(
        _PER_LAYER, "count", "NaN or Inf entries in dE/dW", Column("NaN", "NaN,\nInf", "count")
    ),
    "sd_dex": Variable(
        _PER_LAYER, "dex", "predicted standard deviation of log10 grad_norm over initialisations"
    ),
    "median_shift_dex": Variable(
        _PER_LAYER, "dex", "predicted median of log10 grad_norm less the log10 of its RMS"
    ),
    "ratio_sd_dex": Variable(
        _PER_LAYER,
        "dex",
        "predicted standard deviation of log10 delta_norm over that of the last hidden layer",
    ),
    "ratio_shift_dex": Variable(
        _PER_LAYER, "dex", "predicted median of that ratio's log10 less that of its RMS norms"
    ),
    "loss": Variable(_PER_STEP, "loss", "mean loss of the training batch, before the update"),
    "accuracy": Variable(_PER_STEP, "share", "share of the training batch classified rightly"),
    "test_loss": Variable(_PER_STEP, "loss", "mean loss of the test set, at the end of an epoch"),
    "test_accuracy": Variable(
        _PER_STEP,
        "share",
        "share of the test set classified rightly, at the end of an epoch",
        of_arms=True,
    ),
    "predicted_share": Variable(
        _PER_STEP,
        "share",
        "share of the test set given the class predicted most often, at the end of an epoch",
        of_arms=True,
    ),
    "learning_rate": Variable(_PER_STEP, "1", "learning rate of the update"),
    "input_rms": Variable(_PER_STEP, "1", "root mean square of the batch's inputs"),
    "output_spread": Variable(
        _PER_STEP, "1", "standard deviation of the network's output over the batch"
    ),
    "overhead": Variable(
        ("step",),
        "share",
        "time spent measuring a recorded step, as a share of that step's without it",
    ),
}

LAYER_COORDINATES = ("depth", "kind", "activation", "fan_in", "fan_out", "trainable")


class Artefact(NamedTuple):
    """An array that a run keeps beside its variables."""

    dims: tuple[str, ...]
    meaning: str


ARTEFACTS: dict[str, Artefact] = {
    "first_layer_weights": Artefact(
        ("moment", "replicate", "fan_in", "fan_out"),
        "weights of layer 1 at the start, after epoch 1 and at the end",
    ),
    "first_layer_change": Artefact(
        ("measure", "replicate"),
        "mean |100 (W_end - W_start) / W_start| and mean |W_end - W_start| of layer 1",
    ),
    "preactivation_histogram": Artefact(
        ("batch", "replicate", "hidden_layer", "bin"),
        f"pre-activations of the first and of the last batch, counted in {HISTOGRAM_BINS} equal "
        f"bins from -{HISTOGRAM_EDGE:.0f} to {HISTOGRAM_EDGE:.0f}; the outer bins hold what lies "
        "beyond",
    ),
    "decision_grid": Artefact(
        ("replicate", "y", "x"), "probability of class 1 over the plane of the inputs, at the end"
    ),
    "decision_extent": Artefact(("edge",), "left, right, bottom and top of the decision grid"),
    "data_inputs": Artefact(("sample", "feature"), "the data set of a two-dimensional experiment"),
    "data_targets": Artefact(("sample",), "its classes"),
    "gradient_path": Artefact(
        ("factor", "number", "replicate"),
        "what the gradient of the first batch crosses from the last hidden layer to the first: "
        "norm before, norm after, and what its kind brings",
    ),
    "gradient_path_plan": Artefact(("byte",), "the names that belong to it, as JSON"),
    "data_test": Artefact(("sample",), "1 where the sample belongs to the test set"),
}

# What older stores call an artefact -> what it is called now.
OLD_NAMES = {"way": "gradient_path", "way_plan": "gradient_path_plan"}

EVENTS = {
    "interrupted": "the run ended before its last step",
    "nonfinite": "the first NaN or Inf, and where it arose",
    "overflow": "a norm too large for the data type",
    "underflow": "a gradient that is 0 because the data type has no smaller number, not because "
    "nothing arrives",
    "clipped": "a gradient was clipped before the update",
    "skipped": "an update was left out because a scaled gradient was not finite",
    "lost": "recorded steps that could not be written to the store",
}
