"""The animals of the zoo: healthy nets as anyone would set them up, and one fault in each case."""

from __future__ import annotations

from bench.zoo import faults as do
from bench.zoo.faults import Do, Fault
from bench.zoo.nets import Recipe
from bench.zoo.runs import Case

HEALTHY = (
    Recipe("mlp", 3, 32, "digits", "sgd", 0.1),
    Recipe("mlp", 3, 64, "mnist", "momentum", 0.02),
    Recipe("mlp", 5, 32, "fashion", "adam", 2e-3),
    Recipe("mlp", 10, 32, "digits", "adam", 1e-3),
    Recipe("mlp", 10, 64, "mnist", "momentum", 0.01),
    Recipe("mlp", 20, 64, "digits", "adam", 5e-4),
    Recipe("mlp", 4, 16, "moons", "sgd", 0.2),
    Recipe("mlp", 6, 16, "circles", "adam", 3e-3),
    Recipe("mlp", 8, 64, "fashion", "sgd", 0.05),
    Recipe("mlp", 5, 128, "digits", "sgd", 0.05),
    Recipe("mlp", 3, 32, "digits", "sgd", 0.1, "tanh"),
    Recipe("mlp", 10, 32, "digits", "momentum", 0.02, "tanh"),
    Recipe("mlp", 5, 64, "mnist", "adam", 1e-3, "tanh"),
    Recipe("mlp", 4, 16, "circles", "adam", 3e-3, "tanh"),
    Recipe("mlp", 5, 16, "moons", "sgd", 0.1, "tanh"),
    Recipe("mlp", 30, 64, "digits", "adam", 3e-4, "tanh", init="orthogonal"),
    Recipe("mlp", 8, 32, "fashion", "sgd", 0.1, "tanh"),
    Recipe("mlp", 3, 32, "digits", "momentum", 0.05, "sigmoid", "batch"),
    Recipe("mlp", 6, 64, "mnist", "adam", 3e-3, "sigmoid", "batch"),
    Recipe("mlp", 10, 32, "digits", "adam", 3e-3, "sigmoid", "batch"),
    Recipe("mlp", 4, 32, "moons", "adam", 1e-2, "sigmoid", "batch"),
    Recipe("mlp", 4, 64, "fashion", "sgd", 0.5, "sigmoid", "batch"),
    Recipe("mlp", 5, 32, "digits", "adam", 1e-3, "gelu"),
    Recipe("mlp", 10, 32, "mnist", "adam", 1e-3, "gelu"),
    Recipe("mlp", 4, 32, "circles", "momentum", 0.05, "gelu"),
    Recipe("mlp", 6, 64, "fashion", "momentum", 0.02, "gelu"),
    Recipe("mlp", 8, 32, "digits", "sgd", 0.05, "selu"),
    Recipe("mlp", 15, 32, "mnist", "adam", 5e-4, "selu"),
    Recipe("mlp", 4, 16, "moons", "adam", 3e-3, "selu"),
    Recipe("mlp", 20, 32, "digits", "momentum", 0.01, "selu"),
    Recipe("mlp", 6, 32, "digits", "momentum", 0.02, "leaky", batch=16),
    Recipe("mlp", 12, 32, "fashion", "adam", 1e-3, "leaky"),
    Recipe("mlp", 4, 16, "circles", "sgd", 0.2, "leaky"),
    Recipe("mlp", 6, 32, "digits", "sgd", 0.1, norm="batch"),
    Recipe("mlp", 10, 64, "mnist", "adam", 2e-3, norm="batch"),
    Recipe("mlp", 4, 32, "moons", "momentum", 0.05, norm="batch"),
    Recipe("mlp", 8, 32, "fashion", "adam", 2e-3, norm="layer"),
    Recipe("mlp", 8, 32, "digits", "momentum", 0.05, "tanh", "batch"),
    Recipe("conv", 3, 8, "digits", "adam", 3e-3),
    Recipe("conv", 4, 8, "mnist", "momentum", 0.02),
    Recipe("conv", 6, 8, "fashion", "adam", 2e-3),
    Recipe("conv", 4, 16, "digits", "sgd", 0.1, norm="batch"),
    Recipe("conv", 5, 8, "mnist", "adam", 3e-3, norm="batch"),
    Recipe("conv", 4, 8, "digits", "momentum", 0.05, "tanh"),
    Recipe("conv", 8, 8, "mnist", "adam", 1e-3, "gelu"),
    Recipe("conv", 5, 16, "fashion", "sgd", 0.05, "leaky"),
    Recipe("conv", 10, 16, "digits", "adam", 1e-3),
    Recipe("conv", 3, 8, "fashion", "momentum", 0.02, "selu"),
    Recipe("resmlp", 6, 32, "fashion", "adam", 1e-3, norm="batch"),
    Recipe("resmlp", 10, 32, "digits", "momentum", 0.02, norm="batch"),
    Recipe("resmlp", 25, 32, "digits", "adam", 1e-3, norm="batch", batch=128),
    Recipe("resmlp", 8, 32, "digits", "sgd", 0.05, branch=0.35),
    Recipe("resmlp", 15, 32, "mnist", "adam", 1e-3, branch=0.1),
    Recipe("resmlp", 30, 32, "digits", "adam", 5e-4, branch=0.03),
    Recipe("resmlp", 6, 32, "moons", "adam", 1e-3, "gelu", "layer"),
    Recipe("resconv", 3, 8, "digits", "adam", 3e-3, norm="batch"),
    Recipe("resconv", 5, 8, "mnist", "momentum", 0.05, norm="batch"),
    Recipe("resconv", 4, 8, "mnist", "adam", 2e-3, branch=0.3),
    Recipe("transformer", 2, 16, "rows", "adam", 3e-3),
    Recipe("transformer", 2, 32, "rows", "adam", 2e-3, first_norm=True),
    Recipe("transformer", 4, 32, "rows", "adam", 1e-3, first_norm=True),
    Recipe("transformer", 2, 16, "recall", "adam", 3e-3),
    Recipe("transformer", 1, 32, "majority", "adam", 2e-3, first_norm=True),
    Recipe("transformer", 2, 32, "rows", "momentum", 0.05, first_norm=True),
    Recipe("lstm", 1, 32, "rows", "adam", 1e-2),
    Recipe("lstm", 2, 32, "rows", "adam", 1e-2),
    Recipe("lstm", 1, 32, "recall", "adam", 1e-2),
    Recipe("lstm", 1, 32, "rows", "momentum", 0.5),
    Recipe("gru", 1, 16, "recall", "adam", 1e-2),
    Recipe("gru", 2, 32, "rows", "adam", 5e-3),
    Recipe("gru", 1, 32, "rows", "momentum", 0.2),
)
_BY_NAME = {recipe.name: recipe for recipe in HEALTHY}

# Bases that carry several faults.
RELU10, RELU20 = "mlp-relu-10x32-digits-adam", "mlp-relu-20x64-digits-adam"
RELU3, RELU5 = "mlp-relu-3x32-digits-sgd", "mlp-relu-5x128-digits-sgd"
TANH10, TANH8 = "mlp-tanh-10x32-digits-momentum", "mlp-tanh-8x32-fashion-sgd"
TANH5, TANH30 = "mlp-tanh-5x64-mnist-adam", "mlp-tanh-orthogonal-30x64-digits-adam"
MNIST3, MNIST10 = "mlp-relu-3x64-mnist-momentum", "mlp-relu-10x64-mnist-momentum"
FASHION8, CONV6 = "mlp-relu-8x64-fashion-sgd", "conv-relu-6x8-fashion-adam"
SIGMOID10 = "mlp-sigmoid-bn-10x32-digits-adam"
SIGMOID3 = "mlp-sigmoid-bn-3x32-digits-momentum"
SELU20, BN6 = "mlp-selu-20x32-digits-momentum", "mlp-relu-bn-6x32-digits-sgd"
CONV3, CONV4 = "conv-relu-3x8-digits-adam", "conv-relu-4x8-mnist-momentum"
CONV10, CONV_TANH = "conv-relu-10x16-digits-adam", "conv-tanh-4x8-digits-momentum"
CONV_LEAKY, CONV_BN = "conv-leaky-5x16-fashion-sgd", "conv-relu-bn-4x16-digits-sgd"
RES10, RES25 = "resmlp-relu-bn-10x32-digits-momentum", "resmlp-relu-bn-25x32-digits-adam"
RES8, RES30 = "resmlp-relu-scaled-8x32-digits-sgd", "resmlp-relu-scaled-30x32-digits-adam"
PRE2, PRE4 = "transformer-pre-2x32-rows-adam", "transformer-pre-4x32-rows-adam"
POST2 = "transformer-post-2x16-rows-adam"
LSTM, LSTM_SLOW, GRU = "lstm-1x32-rows-adam", "lstm-1x32-rows-momentum", "gru-2x32-rows-adam"
FIRST, CORE = "0", "core.weight_ih_l0"


def case(
    code: str,
    base: str,
    label: str,
    fault: Fault,
    layers: str | tuple[str, ...] | None = None,
    *,
    also: str = "",
    predicted: bool = False,
) -> Case:
    """Return a case; `layers` are what may be named first, `also` is a code as right as `code`."""
    names = (layers,) if isinstance(layers, str) else layers
    allowed = None if names is None else frozenset(names)
    accepted = frozenset({code, also} - {""})
    return Case(_BY_NAME[base], fault, label, code, accepted, allowed, predicted)


def scaled(factor: float, layers: do.PLACES = "hidden") -> Fault:
    return Fault(model=Do(do.scale, factor=factor, layers=layers))


def drawn(sd: float) -> Fault:
    return Fault(model=Do(do.normal, sd=sd, layers="all"))


def biased(value: float, share: float, *layers: str) -> Fault:
    return Fault(model=Do(do.bias, value=value, layers=layers, share=share))


def shifted(value: float, share: float, *layers: str) -> Fault:
    return Fault(model=Do(do.norm_shift, value=value, layers=layers, share=share))


def rate(lr: float) -> Fault:
    return Fault(recipe={"lr": lr})


def other(**fields: object) -> Fault:
    return Fault(recipe=fields)


def alike(value: float, layers: do.PLACES = "hidden") -> Fault:
    return Fault(model=Do(do.constant, value=value, layers=layers))


def fed(function: object, **settings: float) -> Fault:
    return Fault(inputs=Do(function, **settings))


def lost(function: object, **settings: float) -> Fault:
    return Fault(loss=Do(function, **settings))


def done(function: object, **settings: object) -> Fault:
    return Fault(model=Do(function, **settings))


DIVERGES = "UT114"  # also right where the loss rises tenfold, though it comes back or stays finite
ONLY_LAST = Fault(trained=Do(do.only_last_trained))

BROKEN = (
    # Vanishing
    case("UT101", SIGMOID10, "no-norm", other(norm="none"), FIRST),
    case("UT101", TANH10, "sigmoid", other(activation="sigmoid"), FIRST),
    case("UT101", RELU10, "weights-x0.1", scaled(0.1), FIRST),
    case("UT101", TANH8, "weights-x0.1", scaled(0.1), FIRST),
    case("UT101", RELU20, "torch-init", other(init="torch"), FIRST),
    case("UT101", RELU20, "torch-init-30-layers", other(init="torch", depth=30), FIRST),
    case(
        "UT101",
        RES10,
        "sigmoid-no-norm-no-skip",
        other(activation="sigmoid", norm="none", skip=False),
        FIRST,
    ),
    case("UT101", RELU5, "layer-3-x0.001", scaled(1e-3, ("4",)), "4"),
    case("UT101", TANH10, "layer-5-x0.001", scaled(1e-3, ("8",)), "8"),
    case("UT101", RELU5, "layers-3-4-x0.001", scaled(1e-3, ("4", "6")), "4"),
    case("UT101", TANH10, "layers-5-6-x0.001", scaled(1e-3, ("8", "10")), "8"),
    case("UT101", CONV_LEAKY, "layers-2-3-x0.001", scaled(1e-3, ("2", "4")), "2"),
    case("UT101", CONV_TANH, "layers-2-3-x1e-4", scaled(1e-4, ("2", "4")), "2"),
    case("UT101", CONV10, "weights-x0.1", scaled(0.1), FIRST),
    case("UT101", CONV_LEAKY, "sigmoid", other(activation="sigmoid"), FIRST),
    case("UT101", LSTM_SLOW, "weights-x0.01", scaled(0.01), CORE),
    # Exploding
    case("UT102", RELU20, "weights-x2", scaled(2), FIRST),
    case("UT102", RELU10, "weights-x4", scaled(4), FIRST),
    case("UT102", TANH30, "weights-x3", scaled(3), FIRST),
    case("UT102", RES25, "no-skip", other(skip=False), FIRST),
    case("UT102", RES30, "branches-unscaled", other(branch=1.0), FIRST),
    case("UT102", MNIST3, "layer-2-x100", scaled(100, ("2",)), "2"),
    case("UT102", SELU20, "weights-x2", scaled(2), FIRST),
    case("UT102", CONV10, "weights-x4", scaled(4), FIRST),
    case("UT102", RELU5, "layer-3-x100", scaled(100, ("4",)), "4"),
    case("UT102", CONV_LEAKY, "layer-3-x100", scaled(100, ("4",)), "4"),
    # Dead units, not all of a layer
    case("UT103", RELU10, "dead-31-of-32-layer-4", biased(-50, 0.97, "6"), "6"),
    case("UT103", MNIST3, "dead-62-of-64-layer-2", biased(-50, 0.97, "2"), "2"),
    case("UT103", RELU5, "dead-126-of-128-layer-3", biased(-50, 0.984, "4"), "4"),
    case("UT103", CONV3, "dead-7-of-8", biased(-50, 0.875, "2", "4"), "2"),
    case("UT103", BN6, "dead-30-of-32-layer-2", shifted(-50, 0.94, "4"), "4"),
    case("UT103", FASHION8, "dead-2-layers", biased(-50, 0.95, "4", "8"), "4"),
    case("UT103", RES10, "dead-30-of-32-last-norm", shifted(-50, 0.94, "2"), "2"),
    case("UT103", CONV10, "dead-15-of-16", biased(-50, 0.94, "8", "12", "16"), "8"),
    case("UT103", CONV6, "dead-7-of-8", biased(-50, 0.875, "4", "8"), "4"),
    # Saturated
    case("UT104", TANH10, "weights-x30", scaled(30), FIRST),
    case("UT104", TANH8, "biases-10", done(do.alternate_bias, value=10.0, layers="hidden"), FIRST),
    case("UT104", TANH5, "weights-x30", scaled(30), FIRST),
    case("UT104", SIGMOID10, "shifts-10", shifted(10, 1, *map(str, range(1, 30, 3))), "1"),
    case("UT104", SIGMOID3, "shifts-10", shifted(10, 1, "1", "4", "7"), "1"),
    case("UT104", CONV_TANH, "weights-x30", scaled(30), FIRST),
    case("UT104", TANH30, "biases-10", done(do.alternate_bias, value=10.0, layers="hidden"), FIRST),
    case("UT104", TANH10, "layer-5-x100", scaled(100, ("8",)), "8"),
    case("UT104", LSTM, "weights-x100", scaled(100), CORE),
    # Not finite
    case("UT105", RELU10, "nan-input-from-60", fed(do.nan_from, first=60), FIRST),
    case("UT105", CONV4, "nan-input-from-40", fed(do.nan_from, first=40), FIRST),
    case("UT105", LSTM, "nan-input-from-50", fed(do.nan_from, first=50), CORE),
    case("UT105", PRE2, "log-of-0", lost(do.log_of_softmax, factor=50)),
    case("UT105", TANH5, "root-of-0-from-50", lost(do.root_of_zero, first=50)),
    case("UT105", "mlp-leaky-6x32-digits-momentum", "0-by-0", lost(do.divided_by_count, rare=3)),
    case("UT105", RELU5, "distance-layer", done(do.insert, after=5, kind="distance"), "4"),
    case("UT105", TANH10, "distance-layer", done(do.insert, after=9, kind="distance"), "8"),
    case("UT105", RES10, "nan-input-from-80", fed(do.nan_from, first=80), FIRST),
    case("UT105", RELU10, "log-layer", done(do.insert, after=5, kind="log"), ("4", "7")),
    case("UT105", MNIST3, "division-layer", done(do.insert, after=3, kind="share"), ("2", "5")),
    # Steps too large
    case("UT106", TANH5, "lr-0.3", rate(0.3), also=DIVERGES),
    case("UT106", "mlp-gelu-5x32-digits-adam", "lr-0.1", rate(0.1)),
    case("UT106", SIGMOID10, "lr-1", rate(1)),
    case("UT106", RELU10, "lr-0.3", rate(0.3), also=DIVERGES),
    case("UT106", TANH8, "lr-30", rate(30), also=DIVERGES),
    case("UT106", CONV3, "lr-0.5", rate(0.5), also=DIVERGES),
    case("UT106", PRE2, "lr-0.3", rate(0.3)),
    case("UT106", POST2, "lr-0.3", rate(0.3)),
    case("UT106", LSTM, "lr-1", rate(1)),
    case("UT106", "gru-1x16-recall-adam", "lr-1", rate(1)),
    case("UT106", RELU3, "lr-3", rate(3), also=DIVERGES),
    case("UT106", CONV_TANH, "lr-5", rate(5), also=DIVERGES),
    case("UT106", "resmlp-relu-bn-6x32-fashion-adam", "lr-5", rate(5), also=DIVERGES),
    # Steps too small
    case("UT107", RELU10, "lr-1e-7", rate(1e-7)),
    case("UT107", CONV_BN, "lr-1e-6", rate(1e-6)),
    case("UT107", LSTM_SLOW, "lr-1e-6", rate(1e-6)),
    case("UT107", PRE2, "lr-1e-7", rate(1e-7)),
    case("UT107", TANH8, "lr-1e-5", rate(1e-5)),
    case("UT107", MNIST10, "only-last-trained", ONLY_LAST, FIRST),
    case("UT107", RELU20, "only-last-trained", ONLY_LAST, FIRST),
    case("UT107", TANH30, "only-last-trained", ONLY_LAST, FIRST),
    case("UT107", "gru-1x32-rows-momentum", "lr-1e-6", rate(1e-6)),
    case("UT107", RES25, "lr-1e-8", rate(1e-8)),
    case("UT107", MNIST3, "lr-1e-7", rate(1e-7)),
    # No gradient
    case("UT108", RELU10, "detach-after-7", done(do.detach, after="13"), FIRST),
    case("UT108", TANH30, "detach-after-25", done(do.detach, after="49"), FIRST),
    case(
        "UT108", "mlp-selu-15x32-mnist-adam", "detach-after-13", done(do.detach, after="25"), FIRST
    ),
    case("UT108", CONV10, "detach-after-8", done(do.detach, after="15"), FIRST),
    case("UT108", RELU20, "hidden-frozen", done(do.freeze), FIRST),
    case("UT108", RES25, "blocks-without-grad", done(do.without_gradients, part="1"), FIRST),
    case(
        "UT108",
        POST2,
        "layers-without-grad",
        done(do.without_gradients, part="layers"),
        "embedding",
    ),
    case("UT108", GRU, "core-detached", done(do.detach, after="core"), CORE),
    case("UT108", MNIST10, "through-numpy", done(do.through_numpy, layers=14), "0.0"),
    # Symmetric
    case("UT109", RELU10, "constant", alike(1 / 32), FIRST),
    case("UT109", TANH5, "constant", alike(1 / 64), FIRST),
    case("UT109", LSTM, "constant", alike(0.05), CORE),
    case("UT109", LSTM, "all-constant", alike(0.05, "all"), CORE),
    case("UT109", GRU, "all-constant", alike(0.05, "all"), CORE),
    case("UT109", RES8, "all-constant", alike(0.02, "all"), FIRST),
    case("UT109", CONV4, "all-constant", alike(0.02, "all"), FIRST),
    case("UT109", CONV6, "all-constant", alike(0.02, "all"), FIRST),
    case("UT109", CONV_LEAKY, "all-constant", alike(0.01, "all"), FIRST),
    case("UT109", SIGMOID3, "constant", alike(0.05), FIRST),
    case("UT109", "mlp-tanh-4x16-circles-adam", "constant", alike(0.1), FIRST),
    # Dead at birth
    case("UT110", RELU10, "bias-100-layer-4", biased(-100, 1, "6"), "6"),
    case("UT110", MNIST3, "bias-100-layer-2", biased(-100, 1, "2"), "2"),
    case("UT110", CONV4, "bias-100-layer-3", biased(-100, 1, "4"), "4"),
    case("UT110", BN6, "shift-100-layer-2", shifted(-100, 1, "4"), "4"),
    case("UT110", CONV10, "bias-100-layer-5", biased(-100, 1, "8"), "8"),
    case("UT110", RES10, "shift-100-last-norm", shifted(-100, 1, "2"), "2"),
    case("UT110", RELU20, "bias-100-layer-11", biased(-100, 1, "20"), "20"),
    case("UT110", FASHION8, "bias-100-layer-1", biased(-100, 1, "0"), "0"),
    case("UT110", CONV6, "bias-100-layer-6", biased(-100, 1, "10"), "10"),
    case(
        "UT110",
        RELU10,
        "20-layers-of-3",
        Fault({"depth": 20, "width": 3}, Do(do.dead_at_birth, data="digits")),
    ),
    # Inputs
    case("UT111", RELU3, "inputs-x255", fed(do.times, factor=255), FIRST),
    case("UT111", TANH8, "inputs-x255", fed(do.times, factor=255), FIRST),
    case("UT111", CONV4, "inputs-x255", fed(do.times, factor=255), FIRST),
    case("UT111", TANH10, "inputs-x0.001", fed(do.times, factor=0.001), FIRST),
    case("UT111", RELU10, "inputs-plus-100", fed(do.times, offset=100), FIRST),
    case("UT111", "mlp-gelu-4x32-circles-momentum", "plus-100", fed(do.times, offset=100), FIRST),
    case("UT111", LSTM, "inputs-x255", fed(do.times, factor=255), CORE),
    case("UT111", CONV_LEAKY, "inputs-x0.001", fed(do.times, factor=0.001), FIRST),
    case("UT111", MNIST3, "inputs-x255", fed(do.times, factor=255), FIRST),
    case("UT111", FASHION8, "inputs-x255", fed(do.times, factor=255), FIRST),
    case("UT111", RES8, "inputs-x255", fed(do.times, factor=255), FIRST),
    case("UT111", "mlp-selu-8x32-digits-sgd", "plus-100", fed(do.times, offset=100), FIRST),
    case("UT111", "gru-1x32-rows-momentum", "plus-100", fed(do.times, offset=100), CORE),
    case("UT111", TANH30, "inputs-x0.001", fed(do.times, factor=0.001), FIRST),
    # Batches
    case("UT112", BN6, "batch-2", other(batch=2), "1"),
    case("UT112", SIGMOID10, "batch-2", other(batch=2), "1"),
    case("UT112", "mlp-relu-bn-10x64-mnist-adam", "batch-2", other(batch=2), "1"),
    case("UT112", SIGMOID3, "batch-2", other(batch=2), "1"),
    case("UT112", "mlp-tanh-bn-8x32-digits-momentum", "batch-2", other(batch=2), "1"),
    case("UT112", RES10, "batch-2", other(batch=2), "1.0.branch.0"),
    case("UT112", RES25, "batch-2", other(batch=2), "1.0.branch.0"),
    case("UT112", "mlp-sigmoid-bn-6x64-mnist-adam", "batch-2", other(batch=2), "1"),
    case("UT112", "mlp-sigmoid-bn-4x64-fashion-sgd", "batch-2", other(batch=2), "1"),
    case("UT112", "mlp-relu-bn-4x32-moons-momentum", "batch-2", other(batch=2), "1"),
    # Initialisation, against the theory
    case("UT113", RELU10, "normal-0.01", drawn(0.01), FIRST, predicted=True),
    case("UT113", TANH10, "normal-0.01", drawn(0.01), FIRST, predicted=True),
    case("UT113", RELU20, "all-x2", scaled(2, "all"), FIRST, predicted=True),
    case("UT113", SELU20, "all-x2", scaled(2, "all"), FIRST, predicted=True),
    case("UT113", MNIST10, "all-x2", scaled(2, "all"), FIRST, predicted=True),
    case("UT113", TANH30, "all-x3", scaled(3, "all"), FIRST, predicted=True),
    case("UT113", TANH5, "normal-0.01", drawn(0.01), FIRST, predicted=True),
    case("UT113", FASHION8, "normal-0.01", drawn(0.01), FIRST, predicted=True),
    case("UT113", "mlp-gelu-10x32-mnist-adam", "normal-0.01", drawn(0.01), FIRST, predicted=True),
    case(
        "UT113", "mlp-leaky-12x32-fashion-adam", "normal-0.01", drawn(0.01), FIRST, predicted=True
    ),
    # The loss diverges
    case("UT114", FASHION8, "lr-1.5", rate(1.5)),
    case("UT114", "mlp-tanh-3x32-digits-sgd", "lr-100", rate(100), also="UT106"),
    case("UT114", MNIST10, "lr-1", rate(1)),
    case("UT114", "mlp-selu-8x32-digits-sgd", "lr-3", rate(3)),
    case("UT114", CONV_LEAKY, "lr-3", rate(3)),
    case("UT114", RES8, "lr-2", rate(2)),
    case("UT114", "mlp-gelu-6x64-fashion-momentum", "lr-1", rate(1)),
    case("UT114", "mlp-leaky-4x16-circles-sgd", "lr-20", rate(20)),
)


def cases() -> list[Case]:
    """Return every case, the healthy ones first."""
    found = [*(Case(recipe) for recipe in HEALTHY), *BROKEN]
    names = [each.name for each in found]
    assert len(set(names)) == len(names), "two cases of one name"
    return found
