"""Layer-wise training and clipping against the same written out in plain PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.engine.plain_torch import (
    PlainNetwork,
    engine_training,
    plain_batches,
    plain_training,
    three_classes,
)
from undertow.engine import choice
from undertow.engine.common.initial_weights import initial_weights
from undertow.engine.common.stages import stages
from undertow.engine.lanes import train as training_in_lanes
from undertow.engine.torch import train
from undertow.errors import SpecError
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec

DATA = three_classes()
SPEC = NetworkSpec(
    inputs=5,
    outputs=3,
    depth=5,
    width=7,
    activation="sigmoid",
    initialisation="normal(0.5)",
    head_initialisation="torch_default",
)
TRAINING = TrainingSpec(
    optimizer="sgd", learning_rate=0.1, batch_size=25, epochs=2, loss="cross_entropy"
)
GROWN = with_changes(TRAINING, stages=((2, 0), (4, 2), (5, 0)))
SEEDS, PLACE = [4, 9, 2], 1
ENGINES = ("torch", "lanes")


def by_hand(seed: int) -> tuple[list[nn.Linear], list[list[float]], list[float]]:
    """Train layer by layer with nn.Linear; return layers, gradient norms and losses."""
    order = plain_batches(with_changes(TRAINING, epochs=6), DATA, seed, torch.float64)
    hidden: list[nn.Linear] = []
    linears: list[nn.Linear] = []
    norms, losses = [], []
    for stage, (depth, frozen) in enumerate(GROWN.stages):
        fresh = initial_weights(with_changes(SPEC, depth=depth), seed, stage)
        for place, (weights, biases) in enumerate(fresh):
            if place >= len(hidden):
                linear = nn.Linear(*weights.shape, dtype=torch.float64)
                linear.weight.data = torch.from_numpy(weights.T.copy()).double()
                linear.bias.data = torch.from_numpy(biases).double()
                hidden.append(linear)
        head = hidden.pop()
        for place, linear in enumerate(hidden):
            linear.requires_grad_(place >= frozen)
        linears = [*hidden, head]
        model = nn.Sequential(*(part for one in hidden for part in (one, nn.Sigmoid())), head)
        step = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        for _ in range(TRAINING.epochs):
            for inputs, targets in next(order):
                loss = nn.functional.cross_entropy(model(inputs), targets)
                step.zero_grad()
                loss.backward()
                losses.append(loss.item())
                norms.append([linear.weight.grad.norm().item() for linear in linears[frozen:]])
                step.step()
    return linears, norms, losses


def test_layer_wise_training_is_the_plain_one() -> None:
    found = engine_training(SPEC, GROWN, DATA, SEEDS, torch.float64)
    linears, norms, losses = by_hand(SEEDS[PLACE])
    np.testing.assert_allclose(found.arrays["loss"][PLACE], losses, rtol=1e-7)
    for step, expected in enumerate(norms):
        depth, frozen = GROWN.stages[step // 8]
        there = [*range(frozen, depth), SPEC.depth]
        recorded = found.arrays["grad_norm"][PLACE, step]
        np.testing.assert_allclose(recorded[there], expected, rtol=1e-7)
        assert np.isnan(recorded[depth : SPEC.depth]).all()
        assert (found.arrays["update_norm"][PLACE, step, :frozen] == 0).all()
        assert (found.arrays["update_norm"][PLACE, step, there] > 0).all()
    for ours, linear in zip(found.parameters.weights, linears, strict=True):
        torch.testing.assert_close(ours[PLACE], linear.weight.detach(), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("every", [3, 7, 1000])
def test_recording_fewer_steps_changes_none_of_them(every: int, name: str) -> None:
    """Also where an unrecorded step falls between those that wait to be measured."""
    training = with_changes(GROWN, batch_size=4)
    all_, some = [], []
    choice.train(SPEC, training, DATA, SEEDS, all_.append, engine=name)
    choice.train(SPEC, training, DATA, SEEDS, some.append, every=every, engine=name)
    for whole, part in zip(all_, some, strict=True):
        places = np.searchsorted(whole.steps, part.steps)
        first, last = whole.steps[0], whole.steps[-1]
        wanted = [s for s in range(first, last + 1) if s <= 10 or s % every == 0 or s == last]
        assert part.steps.tolist() == wanted
        for name, array in part.arrays.items():
            assert np.array_equal(whole.arrays[name][:, places], array, equal_nan=True), name


@pytest.mark.parametrize("name", ENGINES)
def test_frozen_layers_keep_every_bit(name: str) -> None:
    ends: list[torch.Tensor] = []
    make = train.make_stage

    def spied(*arguments):
        networks = make(*arguments)
        ends.append(networks.parameters.flat)
        return networks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "make_stage", spied)
        patch.setattr(training_in_lanes, "make_stage", spied)
        grown = with_changes(GROWN, stages=((2, 0), (5, 2)))
        choice.train(SPEC, grown, DATA, SEEDS, lambda _: None, engine=name)
    first, second = ends
    for size, start in ((len(SEEDS) * 5 * 7, 0), (len(SEEDS) * 7 * 7, len(SEEDS) * 5 * 7)):
        assert torch.equal(first[start : start + size], second[start : start + size])


def test_a_trace_of_stages_counts_steps_and_epochs_on() -> None:
    chunks = []
    artefacts = choice.train(SPEC, GROWN, DATA, SEEDS, chunks.append)
    assert [int(chunk.epochs[0]) for chunk in chunks] == [1, 2, 3, 4, 5, 6]
    assert [int(chunk.steps[-1]) for chunk in chunks] == [4, 8, 12, 16, 20, 24]
    first, last = artefacts["preactivation_histogram"]
    assert (first[:, 2:] == 0).all()
    assert (last.sum(-1) == last.sum(-1)[0, 0]).all()


@pytest.mark.parametrize("limit", [1e-3, 0.05, 1e3])
@pytest.mark.parametrize("normalisation", ["none", "batch"])
def test_clipping_is_torchs(limit: float, normalisation: str) -> None:
    spec = with_changes(SPEC, normalisation=normalisation, head_initialisation=None)
    training = with_changes(TRAINING, clip=limit, epochs=5, momentum=0.9)
    found = engine_training(spec, training, DATA, SEEDS, torch.float64)
    _, truth = plain_training(spec, training, DATA, SEEDS[PLACE], torch.float64)
    for name in ("grad_norm", "update_norm", "loss", "delta_norm"):
        np.testing.assert_allclose(found.arrays[name][PLACE], truth[name], rtol=1e-6, err_msg=name)
    unclipped = with_changes(training, clip=None)
    _, other = plain_training(spec, unclipped, DATA, SEEDS[PLACE], torch.float64)
    assert np.allclose(other["update_norm"], truth["update_norm"]) == (limit == 1e3)


def test_a_head_of_its_own_changes_nothing_below_it() -> None:
    plain = initial_weights(with_changes(SPEC, head_initialisation=None), 3)
    headed = initial_weights(SPEC, 3)
    for (ours, _), (theirs, _) in zip(plain[:-1], headed[:-1], strict=True):
        assert np.array_equal(ours, theirs)
    assert np.abs(headed[-1][0]).max() <= 1 / np.sqrt(SPEC.width)
    assert np.abs(plain[-1][0]).max() > 1 / np.sqrt(SPEC.width)


def test_centred_weights_take_off_a_sigmoids_mean() -> None:
    """From its middle, 1/2 at every unit, a network of such layers gives 0: it is odd."""
    spec = with_changes(SPEC, initialisation="centred_normal(16)", head_initialisation=None)
    network = PlainNetwork(spec, 0, torch.float64)
    inputs = torch.from_numpy(np.random.default_rng(0).standard_normal((6, 5)))
    torch.testing.assert_close(network(-inputs), -network(inputs), rtol=0, atol=1e-5)
    variance = np.mean([np.var(initial_weights(spec, seed)[1][0]) for seed in range(200)])
    assert variance == pytest.approx(16 / spec.width, rel=0.05)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stages": ((2, 0), (2, 1))}, "each must be deeper than the one before"),
        ({"stages": ((2, 1),)}, "only layers that an earlier stage has trained can be frozen"),
        ({"stages": ((2, 0), (6, 4))}, r"type  \(6, 2\)"),
        ({"clip": 0.0}, "clip = 0.0"),
    ],
)
def test_stages_that_cannot_be_are_refused(wrong, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        with_changes(TRAINING, **wrong)


def test_stages_must_end_with_the_whole_network() -> None:
    with pytest.raises(SpecError, match=r"the network has 5 hidden .* for example \(5, 0\)"):
        stages(SPEC, with_changes(TRAINING, stages=((2, 0), (4, 2))))
    with pytest.raises(SpecError, match="leave the skips out"):
        stages(with_changes(SPEC, skips=((1, 2),)), GROWN)
