"""A network's first weights, drawn in NumPy so that every engine starts from the same numbers.

Schemes that differ only in scale share their base draw: with one seed, `glorot_uniform` and
`he_uniform` give the same matrix up to a factor, which pairs the arms of a study.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np

from undertow.engine.common.random_streams import generator
from undertow.spec.names import parse_initialisation
from undertow.spec.network import NetworkSpec

# Keras cuts its normal draws at two standard deviations; what is left has this one.
TRUNCATED_SD = 0.87962566103423978
_TAIL = 0.022750131948179195  # P(Z < -2)

Draw = Callable[[np.random.Generator, int, int], np.ndarray]


def initial_weights(
    spec: NetworkSpec, seed: int, stage: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw (weights [fan_in, fan_out], biases [fan_out]) of every layer, float32.

    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> [weights.shape for weights, biases in initial_weights(spec, seed=0)]
    [(2, 10), (10, 10), (10, 10), (10, 1)]

    Sources: Glorot and Bengio 2010 (proceedings.mlr.press/v9/glorot10a); He et al. 2015,
    doi:10.1109/ICCV.2015.123; LeCun et al. 1998, doi:10.1007/3-540-49430-8_2; Saxe et al. 2013,
    arXiv:1312.6120 (orthogonal).
    """
    random = generator(seed, "weights", stage)
    layers = []
    for layer, (fan_in, fan_out) in enumerate(spec.layer_shapes):
        head = layer == spec.depth and spec.head_initialisation
        name, numbers = parse_initialisation(head or spec.initialisation)
        weights = _weights(name, numbers, random, fan_in, fan_out) * spec.gain
        biases = _biases(name, numbers, random, fan_in, fan_out)
        if name == "centred_normal" and layer > 0:
            biases = -weights.sum(0) / 2  # the mean of a sigmoid's outputs is 1/2
        layers.append((weights.astype(np.float32), biases.astype(np.float32)))
    return layers


def _weights(
    name: str, numbers: tuple[float, ...], random: np.random.Generator, fan_in: int, fan_out: int
) -> np.ndarray:
    if name == "normal":
        return numbers[0] * random.standard_normal((fan_in, fan_out))
    if name in ("scaled_normal", "centred_normal"):
        return sqrt(numbers[0] / fan_in) * random.standard_normal((fan_in, fan_out))
    if name == "orthogonal":
        return _orthogonal(random, fan_in, fan_out)
    if name == "torch_default":
        return random.uniform(-1, 1, (fan_in, fan_out)) / sqrt(fan_in)
    scheme, _, distribution = name.partition("_")
    variance = {"glorot": 2 / (fan_in + fan_out), "he": 2 / fan_in, "lecun": 1 / fan_in}[scheme]
    if distribution == "uniform":
        return sqrt(3 * variance) * random.uniform(-1, 1, (fan_in, fan_out))
    from scipy.special import ndtri  # a fifth of a second, for those who need it

    uniform = random.uniform(_TAIL, 1 - _TAIL, (fan_in, fan_out))
    return sqrt(variance) / TRUNCATED_SD * ndtri(uniform)


def _biases(
    name: str, numbers: tuple[float, ...], random: np.random.Generator, fan_in: int, fan_out: int
) -> np.ndarray:
    if name == "torch_default":
        return random.uniform(-1, 1, fan_out) / sqrt(fan_in)
    if name == "scaled_normal":
        return sqrt(numbers[1]) * random.standard_normal(fan_out)
    return np.zeros(fan_out)


def _orthogonal(random: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    tall = random.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out)))
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diag(r))  # without this the draw is not uniform over rotations
    return q if fan_in >= fan_out else q.T
