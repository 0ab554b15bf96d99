"""The words of the address as controls: what is set here is what `address.read` is given.

Controls of `shape` make another network or other data: the picture begins anew. Those of `pace` say
how it is trained, and wait for the next Train.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from undertow.app.pages.playground import url
from undertow.spec.names import ACTIVATIONS, parse_initialisation
from undertow.spec.toy import SHAPES
from undertow.spec.trial import MOST_EPOCHS, MOST_LAYERS, MOST_SEEDS, MOST_UNITS, Trial

SHAPE = ("data", "depth", "width", "act", "init", "gain", "norm", "skip")
SHAPE_DRAWER = (
    "samples",
    "noise",
    "data_seed",
    "standardise",
    "scale",
    "offset",
    "bias",
    "branch",
    "replicates",
)
PACE = ("opt", "lr", "epochs")
PACE_DRAWER = ("batch", "momentum", "clip")

RATES = tuple(mantissa * 10.0**power for power in range(-5, 2) for mantissa in (1, 3))
GAINS = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.75, 2, 2.5, 3, 4, 6, 10)
SCALED = "scaled_normal"
# What Var W x fan_in comes to where a layer is as wide as the one before.
STARTS = {
    "Glorot uniform, 1/n": "glorot_uniform",
    "Glorot normal, 1/n": "glorot_normal",
    "He normal, 2/n": "he_normal",
    "He uniform, 2/n": "he_uniform",
    "LeCun normal, 1/n": "lecun_normal",
    "PyTorch's default, 1/(3n)": "torch_default",
    "orthogonal": "orthogonal",
    "normal, gain²/n": SCALED,
}
OPTIMIZERS = {"SGD": "sgd", "Adam": "keras_adam", "Adam, PyTorch's form": "adam"}
NORMS = {"none": "none", "batch": "batch", "layer": "layer", "whole tensor": "tensor"}
SKIPS = {"none": "none", "around each layer": "identity"}
NAMES = {
    "data": "data",
    "depth": "depth: hidden layers",
    "width": "width: units a layer",
    "act": "activation",
    "init": "weights",
    "gain": "weights times",
    "norm": "normalisation",
    "skip": "skips",
    "opt": "optimizer",
    "lr": "learning rate",
    "epochs": "epochs",
    "batch": "batch, samples",
    "momentum": "momentum (SGD)",
    "clip": "clip the gradient at (0: not)",
    "samples": "samples",
    "noise": "noise",
    "data_seed": "seed of the data",
    "standardise": "standardise inputs",
    "scale": "inputs times",
    "offset": "inputs plus",
    "bias": "bias variance (with normal, gain²/n)",
    "branch": "branch scale (with skips)",
    "replicates": "seeds, networks",
}


def shape(mo: Any, trial: Trial) -> dict[str, Any]:
    """Return the controls that make another picture, each with the trial's value."""
    said, ui = _values_of(trial), mo.ui
    start, numbers = parse_initialisation(trial.network.initialisation)
    starts = dict(STARTS)
    bias = 0.0
    if start == SCALED and numbers[0] == 1:
        chosen, bias = SCALED, numbers[1]
    else:
        chosen = trial.network.initialisation
        if chosen not in starts.values():
            starts[chosen] = chosen
    return {
        "data": ui.dropdown(list(SHAPES), said["data"], label=NAMES["data"]),
        "depth": _slider(mo, "depth", range(1, MOST_LAYERS + 1), trial.network.depth),
        "width": _slider(mo, "width", range(2, MOST_UNITS + 1), trial.network.width),
        "act": ui.dropdown(list(ACTIVATIONS), said["act"], label=NAMES["act"]),
        "init": _menu(mo, "init", starts, chosen),
        "gain": _slider(mo, "gain", GAINS, trial.network.gain),
        "norm": _menu(mo, "norm", NORMS, said["norm"]),
        "skip": _menu(mo, "skip", SKIPS, said["skip"]),
        "samples": _number(mo, "samples", 20, 5_000, trial.data.samples, 10),
        "noise": _number(mo, "noise", 0, 2, trial.data.noise, 0.05),
        "data_seed": _number(mo, "data_seed", 0, 10**6, trial.data.seed, 1),
        "standardise": ui.checkbox(trial.data.standardised, label=NAMES["standardise"]),
        "scale": _number(mo, "scale", 1e-4, 1e4, trial.data.scale, None),
        "offset": _number(mo, "offset", -1e4, 1e4, trial.data.offset, None),
        "bias": _number(mo, "bias", 0, 10, bias, 0.05),
        "branch": _number(mo, "branch", 0, 10, trial.network.branch_scale, None),
        "replicates": _number(mo, "replicates", 1, MOST_SEEDS, trial.replicates, 1),
    }


def pace(mo: Any, trial: Trial, moved: Callable[[], None]) -> dict[str, Any]:
    """Return the controls that wait for the next Train; `moved` is called when one has moved."""
    training, epochs = trial.training, (1, 2, 5, *range(10, MOST_EPOCHS + 1, 10))
    told = {"on_change": lambda _: moved()}
    return {
        "opt": _menu(mo, "opt", OPTIMIZERS, training.optimizer, **told),
        "lr": _menu(mo, "lr", _rates(training.learning_rate), _say(training.learning_rate), **told),
        "epochs": _slider(mo, "epochs", epochs, training.epochs, **told),
        "batch": _number(mo, "batch", 1, 512, training.batch_size, 1, **told),
        "momentum": _number(mo, "momentum", 0, 0.99, training.momentum, 0.05, **told),
        "clip": _number(mo, "clip", 0, 1_000, training.clip or 0, None, **told),
    }


def trial(shape: Mapping[str, Any], pace: Mapping[str, Any], first_seed: int) -> Trial:
    """Return the trial that the controls' values spell, checked like an address.

    Raises
    ------
    SpecError
        As `address.read`.
    """
    words = {**shape, **pace}
    if any(value is None for value in words.values()):
        words = {word: value for word, value in words.items() if value is not None}
    bias, replicates = float(words.pop("bias", 0)), int(words.pop("replicates", 8))
    if words["init"] == SCALED:
        words["init"] = f"{SCALED}(1,{bias:g})"
    if not words["clip"]:
        del words["clip"]
    words["standardise"] = "yes" if words["standardise"] else "no"
    words["seeds"] = f"{first_seed}-{first_seed + replicates - 1}"
    return url.read_url({word: _text(value) for word, value in words.items()})


def _rates(chosen: float) -> dict[str, str]:
    return {_say(rate): _say(rate) for rate in sorted({*map(float, map(_say, RATES)), chosen})}


def _say(rate: float) -> str:
    return f"{rate:.10f}".rstrip("0").rstrip(".")


def _values_of(trial: Trial) -> dict[str, Any]:
    return {
        word: key.write(getattr(getattr(trial, key.part), key.name))
        for word, key in url.KEYS.items()
        if getattr(getattr(trial, key.part), key.name) is not None
    }


def _text(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _menu(mo: Any, word: str, options: Mapping[str, str], chosen: str, **more: Any) -> Any:
    label = next(label for label, value in options.items() if value == chosen)
    return mo.ui.dropdown(dict(options), label, label=NAMES[word], full_width=True, **more)


def _slider(mo: Any, word: str, steps: Any, value: float, **more: Any) -> Any:
    """Return a slider over these values and the one it has."""
    found = sorted({float(f"{step:.4g}") for step in steps} | {float(value)})
    if all(step == math.floor(step) for step in found):
        found = [int(step) for step in found]
        value = int(value)
    return mo.ui.slider(
        steps=found, value=value, label=NAMES[word], show_value=True, full_width=True, **more
    )


def _number(
    mo: Any, word: str, low: float, high: float, value: float, step: float | None, **more: Any
) -> Any:
    return mo.ui.number(
        low, high, value=value, step=step, label=NAMES[word], full_width=True, debounce=True, **more
    )
