"""The JSON document of a budget, key by key: docs/json.md is made from it."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict


class PartDocument(TypedDict):
    """A piece of a term."""

    term: Annotated[str, "which of the terms it belongs to"]
    where: Annotated[str, "the module or operation where it arises"]
    dex: Annotated[float | None, "dex; null where it is not a number"]
    piece: Annotated[str, "which piece of a term that has several; else empty"]


class LayerBudgetDocument(TypedDict):
    """The gain of one layer, and what makes it."""

    name: Annotated[str, "the layer"]
    terms: Annotated[
        dict[str, float | None],
        "dex of `ceiling`, `saturation`, `covariance`, `weight_scale`, `alignment`, "
        "`normalisation`, `skip`, `fan_out`, `other`",
    ]
    total: Annotated[float | None, "their sum, dex: the log10 of the layer's gain"]
    activation: Annotated[str, "its activation"]
    weight_scale_from_critical: Annotated[
        float | None, "dex above the critical scale without biases; null where there is none"
    ]
    parts: Annotated[list[PartDocument], "the terms, each by where it arises"]


class WeightDocument(TypedDict):
    """One weight's gradient: `grad` = `delta` + `input` + `coherence`."""

    name: Annotated[str, "the layer that holds it"]
    grad: Annotated[float | None, "log10 of the norm of its gradient"]
    delta: Annotated[float | None, "log10 of the norm of the layer's delta"]
    input: Annotated[float | None, "log10 of the size of the layer's input"]
    coherence: Annotated[
        float | None,
        "the rest, dex: 0 where the samples' gradients point in unrelated directions, far below "
        "where they cancel",
    ]


class BudgetDocument(TypedDict):
    """A budget: where the decades went from the last hidden layer to the first."""

    total_dex: Annotated[
        float | None, "log10 of delta at the first over delta at the last hidden layer"
    ]
    layers: Annotated[list[LayerBudgetDocument], "from the inputs on"]
    closure_error: Annotated[
        float | None,
        "by how much, in dex, all terms together miss `total_dex`, which is measured by itself",
    ]
    first: Annotated[str, "the first of those two layers"]
    last: Annotated[str, "the last of them"]
    terms: Annotated[dict[str, float | None], "dex of each term over all layers"]
    weights: Annotated[list[WeightDocument], "log10 of each weight's gradient as a sum"]
    beside: Annotated[list[str], "hidden layers on other branches than the one followed"]
    replicates: Annotated[int, "networks in the means: those in which a gradient goes all the way"]
    of: Annotated[int, "networks in all"]
