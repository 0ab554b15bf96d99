"""The names that a specification may use: activations, initialisations, optimizers, losses."""

from __future__ import annotations

import re
from functools import cache

from undertow.activations.activation import named
from undertow.errors import SpecError, UnknownName

ACTIVATIONS = tuple(name for name, each in named().items() if each.in_networks)


# Each name with the numbers it takes in brackets: normal(0.05) has standard deviation 0.05.
INITIALISATIONS = {
    "glorot_uniform": 0,
    "glorot_normal": 0,
    "he_uniform": 0,
    "he_normal": 0,
    "lecun_uniform": 0,
    "lecun_normal": 0,
    "torch_default": 0,
    "orthogonal": 0,
    "normal": 1,
    "scaled_normal": 2,
    "centred_normal": 1,
}


NORMALISATIONS = ("none", "batch", "layer", "tensor")


GRADIENTS = ("plain", "standardised", "unit")


OPTIMIZERS = ("sgd", "adam", "keras_adam")


LOSSES = ("binary_cross_entropy", "cross_entropy")


@cache
def parse_initialisation(text: str) -> tuple[str, tuple[float, ...]]:
    """Split an initialisation into its name and its numbers.

    >>> parse_initialisation("normal(0.05)")
    ('normal', (0.05,))
    >>> parse_initialisation("he_normal")
    ('he_normal', ())
    """
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*", text)
    if match is None or match.group(1) not in INITIALISATIONS:
        raise UnknownName("initialisation", match.group(1) if match else text, INITIALISATIONS)
    name = match.group(1)
    count = INITIALISATIONS[name]
    try:
        numbers = tuple(float(part) for part in (match.group(2) or "").split(",") if part.strip())
        right = len(numbers) == count and all(0 <= number < float("inf") for number in numbers)
    except ValueError:
        numbers, right = (), False
    if not right:
        example = f"{name}({', '.join(['0.05', '0.01'][:count])})" if count else name
        raise SpecError(
            f"initialisation '{text}': {name} takes {count} "
            f"number{'s' * (count != 1)} of 0 or more; type  {example}"
        )
    return name, numbers


def check_name(kind: str, name: str, names: tuple[str, ...]) -> str:
    """Return a name that is in the list; another is refused, with the nearest one offered."""
    if name not in names:
        raise UnknownName(kind, name, names)
    return name
