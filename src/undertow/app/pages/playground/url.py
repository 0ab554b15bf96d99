"""A trial as the part of an address behind `?`, and back: what is copied is what is seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from undertow.errors import SpecError, UnknownName
from undertow.spec.network import NetworkSpec
from undertow.spec.toy import ToySpec
from undertow.spec.training import TrainingSpec
from undertow.spec.trial import MOST_SEEDS, Trial

INPUTS, OUTPUTS = 2, 1


class Key(NamedTuple):
    """A word of the address: where in a trial it belongs, and how it is read."""

    part: str
    name: str
    read: Callable[[str], Any]
    write: Callable[[Any], str]


def _number(text: str) -> float:
    return float(text)


def _yes(text: str) -> bool:
    return {"yes": True, "no": False}[text]


def _skips(text: str) -> Any:
    return {"none": (), "identity": "identity"}[text]


def _say_skips(skips: Any) -> str:
    return "identity" if skips else "none"


def _say_yes(value: bool) -> str:
    return "yes" if value else "no"


def _say(value: float) -> str:
    return f"{value:.10g}"


KEYS: dict[str, Key] = {
    "data": Key("data", "shape", str, str),
    "samples": Key("data", "samples", int, str),
    "noise": Key("data", "noise", _number, _say),
    "data_seed": Key("data", "seed", int, str),
    "standardise": Key("data", "standardised", _yes, _say_yes),
    "scale": Key("data", "scale", _number, _say),
    "offset": Key("data", "offset", _number, _say),
    "depth": Key("network", "depth", int, str),
    "width": Key("network", "width", int, str),
    "act": Key("network", "activation", str, str),
    "init": Key("network", "initialisation", str, str),
    "gain": Key("network", "gain", _number, _say),
    "norm": Key("network", "normalisation", str, str),
    "skip": Key("network", "skips", _skips, _say_skips),
    "branch": Key("network", "branch_scale", _number, _say),
    "opt": Key("training", "optimizer", str, str),
    "lr": Key("training", "learning_rate", _number, _say),
    "momentum": Key("training", "momentum", _number, _say),
    "batch": Key("training", "batch_size", int, str),
    "epochs": Key("training", "epochs", int, str),
    "clip": Key("training", "clip", _number, _say),
}
SEEDS = "seeds"
# Words of the address that are no part of the trial: ours, and those of the page's own machinery.
OTHERS = ("lock", "token", "session_id", "file", "kiosk", "theme", "access_token")
LONGEST = 60  # characters of a value
LIMITS = {"depth": 50, "width": 64, "epochs": 500, "batch": 512}


def write_url(trial: Trial) -> str:
    """Return the address of a trial: every setting that is not the default's.

    >>> from undertow.experiments.presets import preset
    >>> write_url(preset("edge of chaos").trial)
    '?standardise=yes&depth=50&width=32&act=tanh&init=scaled_normal(1,0.05)&opt=sgd&lr=0.01&epochs=20'
    """
    return "?" + urlencode(words(trial), safe="(),")


def words(trial: Trial) -> dict[str, str]:
    """Return the words of a trial's address that differ from the default's."""
    here, usual = _flat(trial), _flat(read_url({}))
    return {name: text for name, text in here.items() if text != usual.get(name)}


def read_url(spoken: Mapping[str, str]) -> Trial:
    """Return the trial of an address.

    >>> read_url({"depth": "20", "act": "relu", "init": "he_normal", "seeds": "0-3"}).seeds
    (0, 1, 2, 3)

    Raises
    ------
    SpecError
        A word that is not known or a value out of its range, in one line that names the nearest.
    """
    parts: dict[str, dict[str, Any]] = {
        "data": {},
        "network": {"depth": 10, "width": 10, "activation": "sigmoid"},
        "training": {"optimizer": "keras_adam"},
    }
    parts["network"] |= {"inputs": INPUTS, "outputs": OUTPUTS}
    for word, text in spoken.items():
        if word in OTHERS:
            continue
        if word not in (*KEYS, SEEDS):
            raise UnknownName("word in the address", word, [*KEYS, SEEDS])
        if not text.isprintable() or len(text) > LONGEST:
            raise SpecError(f"{word} in the address: at most {LONGEST} characters that print")
        if word == SEEDS:
            continue
        key = KEYS[word]
        try:
            value = key.read(text)
        except (ValueError, KeyError):
            raise SpecError(f"{word}={text} in the address: {_allowed_words(key)}") from None
        if word in LIMITS and value > LIMITS[word]:
            raise SpecError(f"{word}={text} in the address: at most {LIMITS[word]} on this page")
        parts[key.part][key.name] = value
    seed, replicates = _seeds(spoken.get(SEEDS, "0-7"))
    return Trial(
        data=ToySpec(**parts["data"]),
        network=NetworkSpec(**parts["network"]),
        training=TrainingSpec(**parts["training"]),
        replicates=replicates,
        seed=seed,
    )


def _flat(trial: Trial) -> dict[str, str]:
    words = {}
    for word, key in KEYS.items():
        value = getattr(getattr(trial, key.part), key.name)
        if value is not None:
            words[word] = key.write(value)
    return words | {SEEDS: f"{trial.seeds[0]}-{trial.seeds[-1]}"}


def _seeds(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,9})-(\d{1,9})", text)
    first, last = map(int, found.groups()) if found else (0, -1)
    if not first <= last < first + MOST_SEEDS:
        raise SpecError(f"seeds={text} in the address: 1 to {MOST_SEEDS} seeds, for example 0-7")
    return first, last - first + 1


def _allowed_words(key: Key) -> str:
    if key.read is _yes:
        return "yes or no"
    if key.read is _skips:
        return "none or identity"
    return "a whole number" if key.read is int else "a number"
