"""A budget in words, filled from its numbers."""

from __future__ import annotations

from undertow.explanation.budget import TERMS, Budget

# What each term is called in a sentence, where its name alone would not say it.
NAMES = {
    "ceiling": "the ceiling of the slope",
    "saturation": "units that are inactive or saturated",
    "covariance": "gradients that meet flat slopes",
    "weight_scale": "the scale of the weights",
    "alignment": "the direction of the gradient against the weights",
    "normalisation": "normalisation",
    "skip": "skip connections",
    "fan_out": "tensors that several layers read",
    "other": "other operations",
}
MEANINGS = {
    "ceiling": "the largest slope that the activation has: 1/4 for a sigmoid, 1 for tanh and ReLU",
    "saturation": "the root mean square slope against the largest: inactive or saturated units",
    "covariance": "whether the gradient is larger where the slope is larger",
    "weight_scale": "the size of the weights: 0 at variance 1 / fan_in",
    "alignment": "whether the gradient points where the weights are strong; 0 on average",
    "normalisation": "division by the standard deviation, and the mean and scale it takes away",
    "skip": "what comes around a branch and is added to it",
    "fan_out": "what comes from a tensor's other readers",
    "other": "pooling, attention, dropout and all else, by name",
}
SMALL = 0.05  # dex in all: nothing to tell of
FACTORS = {"sigmoid": "1/4", "tanh": "1", "relu": "1"}


def sentence(budget: Budget) -> str:
    """Say in a line or two where most of the decades went, or came from.

    >>> from undertow.explanation.budget import LayerBudget
    >>> terms = dict.fromkeys(TERMS, 0.0) | {"ceiling": -5.4, "weight_scale": -0.5}
    >>> layer = LayerBudget("hidden_1", "sigmoid", terms, -5.9, ())
    >>> print(sentence(Budget("hidden_1", "hidden_10", -5.9, (layer,), 0.0)))
    5.4 of the 5.9 lost decades are the sigmoid's 1/4 ceiling, between 'hidden_10', the last ...
    """
    total, terms = budget.total_dex, budget.totals()
    ends = f"between '{budget.last}', the last hidden layer, and '{budget.first}', the first"
    if abs(total) < SMALL:
        return f"Delta has the same size at both ends: {total:+.2f} decades {ends}."
    way = "lost" if total < 0 else "gained"
    term = min(TERMS, key=lambda each: terms[each] * (1 if total < 0 else -1))
    part = abs(terms[term])
    first = f"{part:.1f} of the {abs(total):.1f} {way} decades are {_cause(budget, term)}"
    if part > abs(total):
        first = (
            f"{_cause(budget, term)[:1].upper()}{_cause(budget, term)[1:]} "
            f"{'takes' if total < 0 else 'adds'} {part:.1f} decades; in all {abs(total):.1f} are "
            f"{way}"
        )
    return f"{first}, {ends}."


def _cause(budget: Budget, term: str) -> str:
    activations = list(dict.fromkeys(layer.activation for layer in budget.layers))
    if term == "ceiling" and len(activations) == 1:
        size = FACTORS.get(activations[0])
        return f"the {activations[0]}'s {f'{size} ' if size else ''}ceiling"
    return NAMES[term]
