"""Trials of the playground: address, settings, and the numbers of their first step."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from undertow.app.pages.playground.url import read_url, write_url
from undertow.data.toy import make_samples
from undertow.experiments.presets import PRESETS, preset
from undertow.spec.trial import Trial
from undertow.studies.trial import first_step

MEASURED = ("grad_norm", "delta_norm", "activation_rms", "loss")
# A preset, a deep stack with a first draw of its own; one with batch normalisation, on more samples
# and larger batches; and one with scaled skips, inputs of another scale, clipping and other seeds.
# The preset "too normal" is not among them: fifty normalised layers make of round-off, between two
# instruction sets, a gradient that is other by half.
THREE = {
    "edge of chaos": write_url(preset("edge of chaos").trial),
    "normalised": "?samples=500&depth=8&width=16&act=relu&init=he_normal&norm=batch&opt=sgd&lr=0.01"
    "&batch=128&epochs=20",
    "every word": "?data=circles&samples=300&noise=0.1&data_seed=7&standardise=yes&scale=2"
    "&offset=0.5&depth=12&width=16&act=gelu&init=he_normal&gain=0.9&skip=identity&branch=0.3"
    "&opt=sgd&lr=0.05&momentum=0.9&batch=64&epochs=5&clip=1&seeds=3-6",
}


def trial(address: str) -> Trial:
    """Return the trial of an address."""
    return read_url(dict(parse_qsl(address.removeprefix("?"), strict_parsing=len(address) > 1)))


def described(address: str) -> dict[str, Any]:
    """Describe an address: the trial it stands for, and the address of that trial."""
    found = trial(address)
    return {"address": address, "trial": found.model_dump(mode="json"), "again": write_url(found)}


def presets() -> dict[str, str]:
    """Return the address of each preset and of each twist of one."""
    found = {}
    for each in PRESETS:
        found[each.name] = write_url(each.trial)
        found |= {f"{each.name}, {words}": write_url(twist) for words, twist in each.twists}
    return found


def measured(address: str) -> dict[str, Any]:
    """Return the numbers of the first step, of the first two replicates."""
    found = trial(address)
    arrays = first_step(found, make_samples(found.data)).dataset
    return {
        name: np.asarray(arrays[name].values[:2], np.float64).squeeze().tolist()
        for name in MEASURED
    }
