"""Ten trials that show one thing each, and the half-truth that each of them corrects.

Their settings were found by measuring; what is said of them here is a claim to look at, and the
tests train every one and hold its verdict to `code`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from undertow.errors import UnknownName
from undertow.spec.network import NetworkSpec
from undertow.spec.toy import ToySpec
from undertow.spec.training import TrainingSpec
from undertow.spec.trial import Trial


class Preset(NamedTuple):
    """A trial, what it claims, what to guess before looking, and the verdict to expect.

    `twists` are trials to look at next, each with the words of its link.
    """

    number: int
    name: str
    claim: str
    forecast: str
    code: str
    trial: Trial
    twists: tuple[tuple[str, Trial], ...]


def preset(name: str) -> Preset:
    """Return a preset by its name.

    >>> preset("silence").trial.network.depth
    10

    Raises
    ------
    UnknownName
        Another name.
    """
    for each in PRESETS:
        if each.name.lower() == name.lower():
            return each
    raise UnknownName("preset", name, [each.name.lower() for each in PRESETS])


def _net(depth: int, width: int, activation: str, initialisation: str, **more: Any) -> NetworkSpec:
    return NetworkSpec(
        inputs=2,
        outputs=1,
        depth=depth,
        width=width,
        activation=activation,
        initialisation=initialisation,
        **more,
    )


def _sgd(learning_rate: float, epochs: int, **more: Any) -> TrainingSpec:
    return TrainingSpec(learning_rate=learning_rate, epochs=epochs, **more)


def _adam(learning_rate: float, epochs: int) -> TrainingSpec:
    return TrainingSpec(optimizer="keras_adam", learning_rate=learning_rate, epochs=epochs)


_STANDARDISED = ToySpec(standardised=True)
_MANY = ToySpec(samples=500)


def _starts(initialisation: str) -> Trial:
    return Trial(network=_net(20, 32, "relu", initialisation), training=_sgd(0.05, 40))


def _normal(**more: Any) -> Trial:
    network = _net(50, 32, "relu", "he_normal", **more)
    return Trial(data=_MANY, network=network, training=_sgd(0.01, 20, batch_size=128))


def _edge(variance: float) -> Trial:
    gain = round(variance**0.5, 4)
    network = _net(50, 32, "tanh", "scaled_normal(1,0.05)", gain=gain)
    return Trial(data=_STANDARDISED, network=network, training=_sgd(0.01, 20))


def _killed(activation: str, learning_rate: float) -> Trial:
    network = _net(3, 16, activation, "he_normal")
    return Trial(network=network, training=_sgd(learning_rate, 20), replicates=64)


def _bypass(activation: str, initialisation: str, **more: Any) -> Trial:
    network = _net(30, 16, activation, initialisation, **more)
    return Trial(data=_STANDARDISED, network=network, training=_adam(3e-3, 30))


def _proxy(activation: str, training: TrainingSpec) -> Trial:
    return Trial(network=_net(10, 10, activation, "glorot_uniform"), training=training)


def _units(scale: float, offset: float = 0.0) -> Trial:
    data = ToySpec(standardised=True, scale=scale, offset=offset)
    network = _net(5, 16, "relu", "he_normal")
    return Trial(data=data, network=network, training=_sgd(0.1, 40), replicates=64)


def _belt(**more: Any) -> Trial:
    network = _net(20, 32, "relu", "he_normal", gain=1.5)
    return Trial(network=network, training=_sgd(0.01, 40, **more))


PRESETS = (
    Preset(
        1,
        "Silence",
        "A stack of ten sigmoid layers goes deaf: hardly any gradient arrives at the input.",
        "What share of layer 10's gradient reaches layer 1?",
        "UT101",
        _proxy("sigmoid", _adam(1e-3, 100)),
        (
            ("with tanh instead", _proxy("tanh", _adam(1e-3, 100))),
            ("with ReLU instead", _proxy("relu", _adam(1e-3, 100))),
        ),
    ),
    Preset(
        2,
        "Three starts",
        "ReLU alone is no cure: from PyTorch's default weights twenty layers lose seven decades.",
        "He's weights are 2.4 times larger. How many decades does that bring back?",
        "UT101",
        _starts("torch_default"),
        (
            ("Glorot's weights", _starts("glorot_normal")),
            ("He's weights", _starts("he_normal")),
        ),
    ),
    Preset(
        3,
        "Too normal",
        "Batch normalisation is said to prevent explosions; in fifty ReLU layers it causes one.",
        "Does the gradient of layer 1 come out smaller or larger than that of layer 50?",
        "UT102",
        _normal(normalisation="batch"),
        (
            ("without normalisation", _normal()),
            ("with normalisation and skips", _normal(normalisation="batch", skips="identity")),
        ),
    ),
    Preset(
        4,
        "Edge of chaos",
        "One number, the variance of the weights, tilts the whole profile: below 1.76 the gradient "
        "vanishes, above it explodes.",
        "Where between 1 and 4 is the profile level?",
        "UT101",
        _edge(1.0),
        (("variance 1.76, critical", _edge(1.76)), ("variance 4, chaotic", _edge(4.0))),
    ),
    Preset(
        5,
        "Killed units",
        "A healthy gradient, too large a step: the first updates switch most units off for ever.",
        "What share of the units is dead after twenty epochs at a learning rate of 3?",
        "UT106",
        _killed("relu", 3.0),
        (
            ("learning rate 1", _killed("relu", 1.0)),
            ("leaky ReLU at 3", _killed("leaky_relu", 3.0)),
        ),
    ),
    Preset(
        6,
        "The bypass",
        "Thirty sigmoid layers lose nineteen decades; a way around each layer brings all back.",
        "With skips around every layer, how many decades are lost?",
        "UT101",
        _bypass("sigmoid", "glorot_uniform"),
        (
            ("with skips", _bypass("sigmoid", "glorot_uniform", skips="identity")),
            ("ReLU and skips: it explodes", _bypass("relu", "he_normal", skips="identity")),
            (
                "ReLU and scaled skips",
                _bypass("relu", "he_normal", skips="identity", branch_scale=0.183),
            ),
        ),
    ),
    Preset(
        7,
        "The proxy lies",
        "Adam moves the first weights as far in a network that is stuck as in one that learns: the "
        "change of a weight says nothing about its gradient.",
        "Plain SGD on the same network: by how many per cent do the first weights change?",
        "UT101",
        _proxy("sigmoid", _sgd(0.1, 100)),
        (
            ("sigmoid under Adam", _proxy("sigmoid", _adam(1e-3, 100))),
            ("ReLU under SGD", _proxy("relu", _sgd(0.1, 100))),
            ("ReLU under Adam", _proxy("relu", _adam(1e-3, 100))),
        ),
    ),
    Preset(
        8,
        "Units of measure",
        "Inputs a hundred times too large: the profile looks healthy, and nothing is learned.",
        "Which view shows what is wrong, the relative or the absolute?",
        "UT111",
        _units(100.0),
        (
            ("inputs as they should be", _units(1.0)),
            ("a hundredth", _units(0.01)),
            ("shifted by 10", _units(1.0, 10.0)),
        ),
    ),
    Preset(
        9,
        "Seat belt",
        "Weights half as large again explode; clipping saves the training and cures nothing.",
        "On what share of the steps is the gradient clipped at a norm of 1?",
        "UT102",
        _belt(),
        (("clipped at 1", _belt(clip=1.0)),),
    ),
    Preset(
        10,
        "Born dead",
        "Twenty ReLU layers of three units: nine networks in ten answer the same to every input "
        "before they have learned anything.",
        "How many of 64 networks can learn at all?",
        "UT110",
        Trial(network=_net(20, 3, "relu", "he_normal"), training=_sgd(0.05, 20), replicates=64),
        (
            (
                "ten units a layer",
                Trial(
                    network=_net(20, 10, "relu", "he_normal"),
                    training=_sgd(0.05, 20),
                    replicates=64,
                ),
            ),
        ),
    ),
)
