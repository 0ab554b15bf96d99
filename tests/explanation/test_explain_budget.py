"""The sharing out of a gain, against formulas written out in NumPy."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

import undertow as ut
from undertow.errors import UndertowError
from undertow.explanation.budget import TERMS, budget
from undertow.trace.gradient_path import Factor, GradientPath, WeightGradient
from undertow.watching.torch.path.factors import gradient_path

DEPTH, WIDTH, SAMPLES = 10, 10, 64
SHARED = ("ceiling", "saturation", "covariance", "weight_scale", "alignment")
SLOPES = {
    "sigmoid": (nn.Sigmoid, 0.25, lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "tanh": (nn.Tanh, 1.0, lambda z: 1 / np.cosh(z) ** 2),
    "relu": (nn.ReLU, 1.0, lambda z: (z > 0) * 1.0),
}
VALUES = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
}
# Contributions in dex over ten layers, of seed 0.
TABLE = {
    "sigmoid": (-6.684, -6.021, -0.326, 0.017, 0.045, -0.398),
    "tanh": (-0.760, 0, -0.455, 0.032, 0.045, -0.382),
    "relu": (-1.598, 0, -1.429, 0.020, 0.045, -0.234),
}


class Draw(NamedTuple):
    """An input, ten weights, and the gradient where the tenth activation comes out."""

    inputs: np.ndarray
    weights: list[np.ndarray]
    grad: np.ndarray


def draw(seed: int) -> Draw:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(SAMPLES, WIDTH))
    bound = math.sqrt(0.3)
    weights = [rng.uniform(-bound, bound, (WIDTH, WIDTH)) for _ in range(DEPTH)]
    return Draw(inputs, weights, rng.normal(size=(SAMPLES, WIDTH)))


def network(name: str, drawn: Draw, dtype: torch.dtype) -> tuple[nn.Sequential, Any, Any]:
    """Return a network whose layers before and after the ten give on what they get.

    Its first hidden delta is the gradient at the input, its last the one at the tenth output.
    """
    activation = SLOPES[name][0]
    one = np.eye(WIDTH)
    parts: list[nn.Module] = []
    for weight in (one, *drawn.weights, one, one):
        layer = nn.Linear(WIDTH, WIDTH, bias=False, dtype=dtype)
        layer.weight.data = torch.tensor(weight, dtype=dtype)
        parts += [layer, activation()]
    model = nn.Sequential(parts[0], *parts[2:-3], parts[-2])
    batch = torch.tensor(drawn.inputs, dtype=dtype), torch.tensor(drawn.grad, dtype=dtype)
    return model, lambda output, target: (output * target).sum(), batch


def explained(name: str, seed: int, dtype: torch.dtype = torch.float64) -> ut.Budget:
    return ut.explain(*network(name, draw(seed), dtype))


def by_hand(name: str, drawn: Draw) -> tuple[list[dict[str, float]], float]:
    """Return the five terms of each of the ten layers, and log10 of the whole gain."""
    _, ceiling, slope_of = SLOPES[name]
    x, seen = drawn.inputs, []
    for weight in drawn.weights:
        z = x @ weight.T
        seen.append(z)
        x = VALUES[name](z)
    g, terms = drawn.grad, []
    norm = np.linalg.norm
    for z, weight in zip(reversed(seen), reversed(drawn.weights), strict=True):
        slope = slope_of(z)
        level = np.sqrt((slope**2).mean())
        found = {
            "ceiling": np.log10(ceiling),
            "saturation": np.log10(level / ceiling),
            "covariance": np.log10(norm(slope * g) / (level * norm(g))),
        }
        delta = slope * g
        g = delta @ weight
        found["weight_scale"] = np.log10(norm(weight) / math.sqrt(WIDTH))
        found["alignment"] = np.log10(math.sqrt(WIDTH) * norm(g) / (norm(delta) * norm(weight)))
        terms.append(found)
    return terms[::-1], float(np.log10(norm(g) / norm(drawn.grad)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", SLOPES)
def test_the_table_of_the_theory(name: str, dtype: torch.dtype):
    found = explained(name, 0, dtype)
    totals = found.totals()
    wanted: dict[str, float] = dict(zip(("total", *SHARED), TABLE[name], strict=True))
    assert found.total_dex == pytest.approx(wanted.pop("total"), abs=0.01)
    for term in TERMS:
        assert totals[term] == pytest.approx(wanted.get(term, 0), abs=0.01), term


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", SLOPES)
def test_each_term_of_each_layer(name: str, seed: int):
    found = explained(name, seed)
    terms, total = by_hand(name, draw(seed))
    assert found.total_dex == pytest.approx(total, abs=1e-12)
    assert found.closure_error < 1e-12
    # A row has a layer's activation, and the weights that read it: those of the next.
    rows = [{"weight_scale": terms[0]["weight_scale"], "alignment": terms[0]["alignment"]}]
    for own, above in zip(terms, [*terms[1:], {"weight_scale": 0, "alignment": 0}], strict=True):
        curve = {term: own[term] for term in SHARED[:3]}
        rows.append({**curve, **{term: above[term] for term in SHARED[3:]}})
    for layer, wanted in zip(found.layers, rows, strict=True):
        for term in TERMS:
            assert layer.terms[term] == pytest.approx(wanted.get(term, 0), abs=1e-12), term
        assert layer.total == pytest.approx(sum(wanted.values()), abs=1e-12)
    assert [layer.activation for layer in found.layers] == ["linear"] + [name] * DEPTH


def test_the_mean_over_seeds():
    totals = [explained("sigmoid", seed).total_dex for seed in range(40)]
    assert np.mean(totals) == pytest.approx(-6.41, abs=0.15)


def test_a_lost_crossing_shows():
    """What closes by construction would prove nothing."""
    way = gradient_path(*network("sigmoid", draw(0), torch.float64))
    assert budget(way).closure_error < 1e-12
    for place in range(len(way.factors)):
        left = way.factors[:place] + way.factors[place + 1 :]
        lost = way.factors[place]
        gain = abs(math.log10(lost.after / lost.before))
        assert budget(way._replace(factors=left)).closure_error == pytest.approx(gain, abs=1e-12)
    assert budget(way._replace(factors=way.factors[1:-1])).closure_error > 1e-3


@pytest.mark.parametrize("end", ["first_delta", "last_delta"])
def test_the_total_is_measured_by_itself(end: str):
    way = gradient_path(*network("tanh", draw(0), torch.float64))
    wrong = way._replace(**{end: 2 * getattr(way, end)})
    assert budget(wrong).closure_error == pytest.approx(math.log10(2), abs=1e-9)


def norm_crossing() -> Factor:
    return Factor("b", "n", "norm", 2.0, 3.0, {"scale_rms": 0.5, "scaled": 4.0})


def made(*crossings: Factor, **options: Any) -> GradientPath:
    first, last = crossings[-1].after, crossings[0].before
    return GradientPath("a", "z", crossings, first, last, {"a": "relu"}, **options)


def test_pieces_of_a_normalisation():
    found = budget(made(norm_crossing()))
    pieces = {part.piece: part.dex for part in found.layers[0].parts}
    assert pieces == pytest.approx(
        {
            "rescale": math.log10(0.5),
            "covariance": math.log10(4 / (0.5 * 2)),
            "projection": math.log10(3 / 4),
        }
    )
    assert found.layers[0].terms["normalisation"] == pytest.approx(math.log10(1.5))


@pytest.mark.parametrize(
    ("kind", "term"),
    [("skip", "skip"), ("fan_out", "fan_out"), ("other", "other"), ("norm_inner", "normalisation")],
)
def test_what_is_of_one_piece(kind: str, term: str):
    found = budget(made(Factor("a", "somewhere", kind, 2.0, 5.0)))
    assert {name: dex for name, dex in found.totals().items() if dex} == {
        term: pytest.approx(math.log10(2.5))
    }
    [part] = found.layers[0].parts
    assert (part.where, part.piece) == ("somewhere", "")


def weights(layer: str, scale: float = 0.5) -> Factor:
    return Factor(layer, "w", "weights", 3.0, 2.0, {"scale": scale})


def curve(layer: str) -> Factor:
    return Factor(layer, "relu", "activation", 2.0, 1.0, {"largest": 1.0, "slope_rms": 0.7})


def reshaped(layer: str) -> Factor:
    return Factor(layer, "view", "other", 3.0, 3.0)


def odd(layer: str) -> Factor:
    return Factor(layer, "softsign", "other", 2.0, 1.0)


@pytest.mark.parametrize(
    ("crossings", "is_judged"),
    [
        ((weights("a"), curve("a")), True),
        ((norm_crossing(), weights("a"), curve("a")), False),
        ((norm_crossing(), reshaped("a"), weights("a"), curve("a")), False),
        ((norm_crossing(), curve("b"), weights("a"), curve("a")), True),
        ((weights("a"), norm_crossing()._replace(layer="a"), curve("a")), False),
        ((weights("a"), weights("a"), curve("a")), False),
        ((weights("a"), curve("a"), curve("a")), False),
        ((weights("a"), odd("a")), False),
        ((weights("a"), odd("a"), curve("a")), True),
    ],
)
def test_where_a_scale_is_judged(crossings: tuple[Factor, ...], is_judged: bool):
    layer = budget(made(*crossings)).layers[0]
    assert layer.name == "a"
    if is_judged:
        he = math.log10(0.5) - 0.5 * math.log10(2)
        assert layer.from_critical == pytest.approx(he, abs=1e-9)
    else:
        assert layer.from_critical is None


def test_replicates_are_averaged_where_a_gradient_goes_through():
    before = np.array([1.0, 1.0, 1.0, 1.0])
    middle = np.array([0.5, 0.1, 0.0, math.nan])
    after = np.array([0.2, 0.05, 0.0, math.nan])
    slope = np.array([0.2, 0.1, 0.0, 0.1])
    way = GradientPath(
        "a",
        "b",
        (
            Factor("a", "w", "weights", before, middle, {"scale": np.full(4, 0.7)}),
            Factor("a", "s", "activation", middle, after, {"largest": 0.25, "slope_rms": slope}),
        ),
        after,
        before,
        {"a": "sigmoid"},
        (WeightGradient("a", after, before, np.full(4, 2.0), 8),),
        replicates=4,
    )
    found = budget(way)
    assert (found.replicates, found.of) == (2, 4)
    mean = {
        "ceiling": math.log10(0.25),
        "saturation": np.mean(np.log10(slope[:2] / 0.25)),
        "covariance": np.mean(np.log10(after[:2] / middle[:2] / slope[:2])),
        "weight_scale": math.log10(0.7),
        "alignment": np.mean(np.log10(middle[:2] / 0.7)),
    }
    assert found.totals() == pytest.approx({**dict.fromkeys(TERMS, 0), **mean}, abs=1e-12)
    assert found.total_dex == pytest.approx(np.mean(np.log10(after[:2])), abs=1e-12)
    [weight] = found.weights
    assert weight.coherence == pytest.approx(found.total_dex - math.log10(2), abs=1e-12)
    assert weight.grad == pytest.approx(weight.delta + weight.input + weight.coherence)


@pytest.mark.parametrize(
    ("before", "after", "dtype", "words"),
    [
        (1.0, 0.0, "float32", "the gradient is 0 from 'a' on"),
        (1e-44, 0.0, "float32", "the gradient is too small for float32 and becomes 0 from 'a' on"),
        (1e-44, 0.0, "float64", "the gradient is 0 from 'a' on"),
        (1e-6, 0.0, "float16", "the gradient is too small for float16 and becomes 0 from 'a' on"),
        (1.0, math.inf, "float32", "the gradient is NaN or Inf from 'a' on"),
        (0.0, 0.0, "float32", "the gradient is 0 from 'z' on"),
        (np.array([1.0, 0.0]), np.array([0.0, 1.0]), "float64", "in no network does a gradient"),
    ],
)
def test_without_a_gradient_one_line_says_where_it_ends(
    before: Any, after: Any, dtype: str, words: str
):
    way = made(
        Factor("a", "w", "other", before, after),
        attributes={"dtype": dtype},
        replicates=np.size(before),
    )
    with pytest.raises(UndertowError, match=words) as error:
        budget(way)
    assert "\n" not in str(error.value)


def test_the_document():
    document = explained("relu", 0).document()
    assert list(document)[:3] == ["total_dex", "layers", "closure_error"]
    for layer in document["layers"]:
        assert tuple(layer["terms"]) == TERMS
        assert layer["total"] == pytest.approx(sum(layer["terms"].values()), abs=1e-12)
    assert sum(document["terms"].values()) == pytest.approx(document["total_dex"], abs=1e-12)
    assert document["layers"][0]["name"] == document["first"] == "0"
    assert document["last"] == "21"
