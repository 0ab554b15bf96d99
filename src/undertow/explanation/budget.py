"""The exact budget of a gradient's decades: which layer, which cause.

Logarithms of gains add up along the path, so nothing is averaged and nothing left over: the
terms of a layer sum to the log10 of its gain, the layers to the total. Within one factor the
split is a convention, the scale first and what is left second:

    weights      log10 |W^T g| / |g|   = log10 |W| / sqrt(n)                      weight scale
                                       + the rest                                 alignment
    activation   log10 |phi' g| / |g|  = log10 sup phi'                           ceiling
                                       + log10 rms phi' / sup phi'                saturation
                                       + log10 |phi' g| / (rms phi' |g|)          covariance
    norm         log10 rms gamma / s + covariance + projection                    normalisation

n is the number of units that the gradient comes from. He's and Glorot's criteria are the weight
scale (doi:10.1109/ICCV.2015.123, proceedings.mlr.press/v9/glorot10a).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from undertow.errors import UndertowError
from undertow.explanation.document import BudgetDocument
from undertow.numerals import without_nan
from undertow.trace.gradient_path import (
    Factor,
    GradientPath,
    Number,
    WeightGradient,
    is_whole,
    layers_on,
)
from undertow.trace.showing import show

if TYPE_CHECKING:
    import pandas

TERMS: tuple[str, ...] = (
    "ceiling",
    "saturation",
    "covariance",
    "weight_scale",
    "alignment",
    "normalisation",
    "skip",
    "fan_out",
    "other",
)


NORMALISATIONS = ("norm", "norm_inner")
ROUNDING = 1e-5  # dex: what the norm of a mere view may differ by

# The smallest numbers with all their digits.
SMALLEST = {"float64": 2.2e-308, "float32": 1.2e-38, "bfloat16": 1.2e-38, "float16": 6.1e-5}


class Term(NamedTuple):
    """A piece of a term, in dex: `where` it arises and, of a term of several pieces, which."""

    term: str
    where: str
    dex: float
    piece: str = ""


class LayerBudget(NamedTuple):
    """The gain of one layer, log10 |delta_l| / |delta_(l+1)|, and what makes it."""

    name: str
    activation: str
    terms: Mapping[str, float]
    total: float
    parts: tuple[Term, ...]
    is_normalised: bool = False

    @property
    def from_critical(self) -> float | None:
        """Return by how many dex the weights above are larger than critical.

        Critical for the layer's activation, without biases. None where no weights are critical, or
        where a normalisation before or after them makes their scale irrelevant.
        """
        scales = [part.dex for part in self.parts if part.term == "weight_scale"]
        curves = sum(part.term == "ceiling" for part in self.parts)
        unknown = any(part.term == "other" and abs(part.dex) > ROUNDING for part in self.parts)
        if len(scales) != 1 or self.is_normalised or curves > 1 or (unknown and not curves):
            return None
        variance = critical_variance(self.activation)
        return None if variance is None else scales[0] - 0.5 * math.log10(variance)


class WeightBudget(NamedTuple):
    """The log10 of one weight's gradient as a sum: delta, size of the input, coherence.

    Coherence is 0 where the samples' gradients point in unrelated directions, at most half of
    log10 (samples) where all point in the same, and far below 0 where they cancel.
    """

    name: str
    grad: float
    delta: float
    input: float
    coherence: float


@dataclass(frozen=True)
class Budget:
    """Where the gradient's decades went, from the last hidden layer to the first.

    >>> import torch, undertow as ut
    >>> from torch import nn
    >>> layers = nn.Linear(2, 8), nn.Sigmoid(), nn.Linear(8, 8), nn.Sigmoid(), nn.Linear(8, 1)
    >>> batch = torch.ones(4, 2), torch.zeros(4, 1)
    >>> found = ut.explain(nn.Sequential(*layers), nn.functional.mse_loss, batch)
    >>> found.last, found.first, round(found.totals()["ceiling"], 3)  # a sigmoid's 1/4
    ('2', '0', -0.602)

    `layers` begins at the input's side. `closure_error` is by how much all terms together miss the
    total, which is measured by itself.

    Of several replicates every number is the mean over those
    through which a gradient goes, `replicates` of `of`.
    """

    first: str
    last: str
    total_dex: float
    layers: tuple[LayerBudget, ...]
    closure_error: float
    weights: tuple[WeightBudget, ...] = ()
    beside: tuple[str, ...] = ()
    replicates: int = 1
    of: int = 1
    attributes: Mapping[str, Any] | None = None

    def totals(self) -> dict[str, float]:
        """Return each term, summed over the layers."""
        return {term: sum(layer.terms[term] for layer in self.layers) for term in TERMS}

    def document(self) -> BudgetDocument:
        """Return what `undertow explain --json` prints; None stands for what is not a number."""
        found = {
            "total_dex": self.total_dex,
            "layers": [
                {
                    "name": layer.name,
                    "terms": dict(layer.terms),
                    "total": layer.total,
                    "activation": layer.activation,
                    "weight_scale_from_critical": layer.from_critical,
                    "parts": [part._asdict() for part in layer.parts],
                }
                for layer in self.layers
            ],
            "closure_error": self.closure_error,
            "first": self.first,
            "last": self.last,
            "terms": self.totals(),
            "weights": [without_nan(weight._asdict()) for weight in self.weights],
            "beside": list(self.beside),
            "replicates": self.replicates,
            "of": self.of,
        }
        return cast(BudgetDocument, found)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row a layer, from the inputs on: each term and the total, in dex."""
        import pandas

        rows = [{"layer": each.name, **each.terms, "total": each.total} for each in self.layers]
        return pandas.DataFrame(rows)

    def plot(self) -> Any:
        """Return an Altair chart: a waterfall of the decades, by cause and by layer."""
        return show(self, "plot")

    def __str__(self) -> str:
        return show(self, "text")

    def _repr_html_(self) -> str:
        return show(self, "html")


def budget(path: GradientPath) -> Budget:
    """Share out the decades that a gradient gains or loses on its path.

    >>> factors = (
    ...     Factor("1", "2", "weights", 1.0, 0.5, {"scale": 1.0}),
    ...     Factor("1", "sigmoid", "activation", 0.5, 0.1, {"largest": 0.25, "slope_rms": 0.22}),
    ... )
    >>> found = budget(GradientPath("1", "2", factors, 0.1, 1.0, {"1": "sigmoid"}))
    >>> round(found.total_dex, 3), round(found.totals()["ceiling"], 3)
    (-1.0, -0.602)

    Raises
    ------
    UndertowError
        No gradient goes all the way: it is 0, NaN or Inf somewhere.
    """
    whole = is_whole(path)
    if not whole.any():
        raise UndertowError(_where_it_ends(path))
    total = _dex(path.first_delta, path.last_delta, whole)
    parts = {name: [] for name in layers_on(path)}
    for factor in path.factors:
        parts[factor.layer] += _parts(factor, whole)
    normalised = _normalised_layers(path.factors)
    found = tuple(  # a learner reads from the input
        _layer(name, parts[name], path, name in normalised) for name in reversed(parts)
    )
    return Budget(
        path.first,
        path.last,
        total,
        found,
        abs(sum(part.dex for each in parts.values() for part in each) - total),
        tuple(_weight(weight, whole) for weight in path.weights),
        path.beside,
        int(whole.sum()),
        path.replicates,
        path.attributes,
    )


def _parts(factor: Factor, whole: np.ndarray) -> list[Term]:
    numbers, where = factor.numbers, factor.where
    gain = _dex(factor.after, factor.before, whole)
    match factor.kind:
        case "weights":
            scale = _dex(numbers["scale"], 1.0, whole)
            found = {"weight_scale": scale, "alignment": gain - scale}
        case "activation":
            ceiling = _dex(numbers["largest"], 1.0, whole)
            level = _dex(numbers["slope_rms"], 1.0, whole)
            found = {"ceiling": ceiling, "saturation": level - ceiling, "covariance": gain - level}
        case "norm":
            rescale = _dex(numbers["scale_rms"], 1.0, whole)
            scaled = _dex(numbers["scaled"], factor.before, whole)
            pieces = {
                "rescale": rescale,
                "covariance": scaled - rescale,
                "projection": gain - scaled,
            }
            return [Term("normalisation", where, dex, piece) for piece, dex in pieces.items()]
        case "norm_inner":
            found = {"normalisation": gain}
        case kind:
            found = {kind: gain}
    return [Term(term, where, dex) for term, dex in found.items()]


def _normalised_layers(factors: Sequence[Factor]) -> set[str]:
    """Return the layers in whose gain the scale of weights is undone by a normalisation."""
    found, last = set(), ""
    for factor in factors:
        is_norm = factor.kind in NORMALISATIONS
        if is_norm or (factor.kind == "weights" and last in NORMALISATIONS):
            found.add(factor.layer)
        if factor.kind != "other":  # such as a change of shape
            last = factor.kind
    return found


def _layer(name: str, parts: list[Term], path: GradientPath, is_normalised: bool) -> LayerBudget:
    terms = dict.fromkeys(TERMS, 0.0)
    for part in parts:
        terms[part.term] += part.dex
    activation = path.activations.get(name, "linear")
    return LayerBudget(name, activation, terms, sum(terms.values()), tuple(parts), is_normalised)


@cache
def critical_variance(activation: str) -> float | None:
    """Return the critical variance of weights, times fan-in, without biases; None where none is.

    >>> critical_variance("relu"), critical_variance("softplus")
    (2.0, None)
    """
    from undertow.theory.signal.critical import critical

    try:
        return float(critical(activation).weight_variance)
    except UndertowError:  # none exists, or the theory does not know the activation
        return None


def _weight(weight: WeightGradient, whole: np.ndarray) -> WeightBudget:
    numbers = (weight.grad, weight.delta, weight.input)
    grad, delta, size = (_dex(each, 1.0, whole) for each in numbers)
    return WeightBudget(weight.layer, grad, delta, size, grad - delta - size)


def _dex(after: Number, before: Number, whole: np.ndarray) -> float:
    if whole.size == 1 and after > 0 and before > 0:  # in a tenth of the time
        return math.log10(after) - math.log10(before)
    ratio = np.broadcast_to(np.asarray(after, float), whole.shape)[whole]
    base = np.broadcast_to(np.asarray(before, float), whole.shape)[whole]
    with np.errstate(divide="ignore", invalid="ignore"):  # nothing may arrive at a weight
        return float((np.log10(ratio) - np.log10(base)).mean())


def _where_it_ends(path: GradientPath) -> str:
    """Say where the gradient ends, and how."""
    ends = [(path.last, 0.0, path.last_delta)]
    ends += [(factor.layer, factor.before, factor.after) for factor in path.factors]
    for name, before, norm in ends:
        sizes = np.asarray(norm, float)
        if not (np.isfinite(sizes) & (sizes > 0)).any():
            return (
                f"no decades to share out: the gradient {_what(sizes, before, path)} from '{name}' "
                "on towards the inputs. Type  undertow diagnose"
            )
    return "no decades to share out: in no network does a gradient go all the way"


def _what(sizes: np.ndarray, before: Number, path: GradientPath) -> str:
    if not (sizes == 0).all():
        return "is NaN or Inf"
    kind = str(path.attributes.get("dtype", "float64"))
    if (np.asarray(before, float) > SMALLEST.get(kind, 0.0)).any() or not np.any(before):
        return "is 0"
    return f"is too small for {kind} and becomes 0"
