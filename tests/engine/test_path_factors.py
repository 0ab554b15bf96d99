"""What the laboratory says a gradient crosses is what autograd finds, and nothing is missing."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import undertow as ut
from tests.engine.plain_torch import PlainNetwork, one_thread, plain_loss
from undertow.data.dataset import load
from undertow.engine import choice
from undertow.engine.common.parameters import initial_parameters
from undertow.engine.common.path_factors import gradient_path
from undertow.experiments import experiment
from undertow.explanation.budget import budget
from undertow.spec.names import ACTIVATIONS, GRADIENTS, NORMALISATIONS
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.studies import study
from undertow.trace.gradient_path import (
    Factor,
    GradientPath,
    as_artefacts,
    from_artefacts,
    is_whole,
)
from undertow.trace.record import Trace, build

SEEDS = [0, 1, 2]
TRAINING = TrainingSpec(epochs=1)
SMALL = load("moons").first(32)  # one step
SKIPS = {
    "none": {},
    "identity": {"skips": "identity"},
    "scaled": {"skips": "identity", "branch_scale": 0.5},
    "distant": {"skips": ((1, 4), (2, 4), (1, 3))},
}
KINDS = list(product(ACTIVATIONS, NORMALISATIONS, SKIPS, GRADIENTS))
SOME = [KINDS[i] for i in np.random.default_rng(1).permutation(len(KINDS))[:60]]


def spec(activation: str, normalisation: str, skips: str, gradient: str) -> NetworkSpec:
    return NetworkSpec(
        **{"inputs": 3, "outputs": 1, "depth": 4, "width": 6, "activation": activation},
        normalisation=normalisation,
        gradient=gradient,
        **SKIPS[skips],  # pyright: ignore
    )


def batch() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(7)
    inputs = torch.randn(len(SEEDS), 3, 9, generator=draw, dtype=torch.float64)
    return inputs, torch.randint(2, (len(SEEDS), 9), generator=draw)


def way_of(network: NetworkSpec) -> GradientPath:
    parameters = initial_parameters(network, SEEDS, torch.float64)
    with torch.no_grad():
        return gradient_path(network, TRAINING, parameters, *batch())


class Backward:
    """The gradient's norm at every place of one network, from autograd in float64."""

    def __init__(self, network: NetworkSpec, place: int):
        self.model = PlainNetwork(network, SEEDS[place], torch.float64)
        inputs, targets = batch()
        logits = self.model(inputs[place].T)
        for part in self.parts:
            for each in part:
                each.retain_grad()
        plain_loss(TRAINING, logits, targets[place]).backward()

    @property
    def parts(self) -> list[list[Tensor]]:
        return [self.model.outputs, self.model.preactivations, self.model.activated]

    def norm(self, part: int, layer: int) -> float:
        grad = self.parts[part][layer].grad
        assert grad is not None
        return grad.norm().item()

    def through_weights(self, layer: int) -> float:
        """Return |W^T delta| of a layer."""
        delta = self.model.outputs[layer].grad
        assert delta is not None
        return (delta @ self.model.layers[layer].weight).norm().item()


def of_layer(way: GradientPath, layer: int) -> list[Factor]:
    return [each for each in way.factors if each.layer == f"hidden_{layer + 1}"]


@one_thread()
def check(network: NetworkSpec) -> None:
    way = way_of(network)
    near: dict[str, Any] = {"rel": 1e-9, "abs": 1e-300}
    for place in range(len(SEEDS)):
        truth = Backward(network, place)
        for layer in range(network.depth - 1):
            crossed = {each.kind: each for each in of_layer(way, layer)}
            weights, curve = crossed["weights"], crossed["activation"]
            assert weights.before[place] == pytest.approx(truth.norm(0, layer + 1), **near)
            assert weights.after[place] == pytest.approx(truth.through_weights(layer + 1), **near)
            if network.gradient == "plain":
                assert curve.before[place] == pytest.approx(truth.norm(2, layer), **near)
            assert curve.after[place] == pytest.approx(truth.norm(1, layer), **near)
            last = crossed.get("norm", curve)
            assert last.after[place] == pytest.approx(truth.norm(0, layer), **near)
        assert way.first_delta[place] == pytest.approx(truth.norm(0, 0), **near)
        assert way.last_delta[place] == pytest.approx(truth.norm(0, network.depth - 1), **near)


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("skips", SKIPS)
def test_the_norms_are_those_of_autograd(skips: str, gradient: str):
    for activation, normalisation in product(ACTIVATIONS, NORMALISATIONS):
        check(spec(activation, normalisation, skips, gradient))


def test_the_comparison_can_fail(monkeypatch: pytest.MonkeyPatch):
    """The truth is drawn with other weights."""
    monkeypatch.setattr(f"{__name__}.way_of", way_of_larger)
    with pytest.raises(AssertionError):
        check(spec("tanh", "none", "none", "plain"))


def way_of_larger(network: NetworkSpec) -> GradientPath:
    parameters = initial_parameters(network, SEEDS, torch.float64)
    parameters.weights[2].mul_(1.0001)
    with torch.no_grad():
        return gradient_path(network, TRAINING, parameters, *batch())


def of_one(way: GradientPath, place: int) -> GradientPath:
    """Return the path of one replicate alone."""

    def at(numbers: np.ndarray) -> float:
        return float(np.broadcast_to(numbers, (way.replicates,))[place])

    crossings = tuple(
        each._replace(
            before=at(each.before),
            after=at(each.after),
            numbers={name: at(number) for name, number in each.numbers.items()},
        )
        for each in way.factors
    )
    ends = {"first_delta": at(way.first_delta), "last_delta": at(way.last_delta)}
    return way._replace(factors=crossings, replicates=1, **ends)


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("skips", SKIPS)
def test_the_budget_closes_of_every_replicate(skips: str, gradient: str):
    for activation, normalisation in product(ACTIVATIONS, NORMALISATIONS):
        way = way_of(spec(activation, normalisation, skips, gradient))
        whole = is_whole(way)
        assert whole.any()
        for place in np.flatnonzero(whole):
            found = budget(of_one(way, int(place)))
            assert found.closure_error < 1e-12
            total = np.log10(way.first_delta[place]) - np.log10(way.last_delta[place])
            assert found.total_dex == pytest.approx(total, abs=1e-12)
        assert budget(way).closure_error < 1e-12


def test_the_terms_are_where_they_belong():
    plain = budget(way_of(spec("sigmoid", "none", "none", "plain"))).totals()
    assert plain["ceiling"] == pytest.approx(3 * np.log10(0.25))
    others = ("normalisation", "skip", "fan_out", "other")
    assert all(plain[term] == 0 for term in others)
    normed = budget(way_of(spec("tanh", "batch", "none", "plain"))).totals()
    assert normed["normalisation"] != 0
    joined = budget(way_of(spec("tanh", "none", "identity", "plain"))).totals()
    assert joined["skip"] != 0
    assert joined["other"] == 0
    scaled = budget(way_of(spec("tanh", "none", "scaled", "plain"))).totals()
    assert scaled["other"] == pytest.approx(2 * np.log10(0.5))  # of layers 2 and 3
    unit = budget(way_of(spec("tanh", "none", "none", "unit"))).totals()
    assert unit["other"] != 0


def traced(network: NetworkSpec) -> Trace:
    chunks, data = [], SMALL
    artefacts = choice.train(network, TRAINING, data, SEEDS, chunks.append)
    return build(
        choice.header(network, TRAINING, data, SEEDS, engine="torch"), chunks, artefacts=artefacts
    )


def two_inputs(network: NetworkSpec) -> NetworkSpec:
    return NetworkSpec(**(network.model_dump() | {"inputs": 2, "width": 10}))


@pytest.mark.parametrize(
    "kind",
    [
        ("sigmoid", "none", "none", "plain"),
        ("relu", "batch", "none", "plain"),
        ("tanh", "layer", "scaled", "plain"),
        ("gelu", "tensor", "distant", "plain"),
        ("selu", "none", "identity", "standardised"),
    ],
    ids="-".join,
)
def test_the_total_is_that_of_the_recorded_deltas(kind: tuple[str, str, str, str]):
    trace = traced(two_inputs(spec(*kind)))
    way = from_artefacts(trace.artefacts)
    assert way
    deltas = np.log10(trace.to_xarray()["delta_norm"].values[:, 0])
    for place in range(len(SEEDS)):
        total = budget(of_one(way, place)).total_dex
        assert total == pytest.approx(deltas[place, 0] - deltas[place, 3], abs=1e-4)


@pytest.mark.parametrize("kind", SOME[:8], ids="-".join)
@pytest.mark.parametrize("replicates", [1, 3])
def test_packed_and_unpacked_again_it_is_the_same(kind: tuple[str, ...], replicates: int):
    way = way_of(spec(*kind))  # pyright: ignore
    way = way if replicates == 3 else of_one(way, 0)
    again = from_artefacts(as_artefacts(way))
    assert again
    assert budget(again) == budget(way)
    assert [each[:3] for each in again.factors] == [each[:3] for each in way.factors]
    assert (again.first, again.last, again.replicates) == ("hidden_1", "hidden_4", replicates)
    assert again.activations == way.activations


def test_without_a_way_there_is_none():
    assert from_artefacts({}) is None
    assert from_artefacts({"gradient_path": np.zeros((1, 4, 1))}) is None


def test_one_hidden_layer_has_no_path():
    network = NetworkSpec(inputs=2, outputs=1, depth=1, width=4, activation="tanh")
    assert "gradient_path" not in traced(network).artefacts


def test_a_run_that_goes_on_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One of two shards was trained, then the program ended; the other comes later."""
    moons, data = experiment("moons"), load("moons")
    monkeypatch.setattr(study, "SHARD", 1)
    (planned,) = study.plan(moons, data, arms=["sigmoid"], replicates=2, epochs=1)
    with ut.open(tmp_path / "whole.db", create=True) as store:
        (whole,) = study.run([planned], data, store, workers=1)

    def leave(done: study.Progress) -> None:
        seen.append(done)
        if len(seen) == 1:
            raise KeyboardInterrupt

    seen: list[study.Progress] = []
    with ut.open(tmp_path / "cut.db", create=True) as store:
        with pytest.raises(KeyboardInterrupt):
            study.run([planned], data, store, workers=1, progress=leave)
        (later,) = study.run([planned], data, store, workers=1)
        kept = store.trace(later.run)
    ways = [from_artefacts(each.artefacts) for each in (whole.trace, later.trace, kept)]
    assert all(way and way.replicates == 2 for way in ways)
    for name in ("gradient_path", "gradient_path_plan"):
        np.testing.assert_array_equal(whole.trace.artefacts[name], kept.artefacts[name])
