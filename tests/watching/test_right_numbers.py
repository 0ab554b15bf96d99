"""Gradients as they are where others go wrong: accumulation, clipping, mixed precision, logging."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

import undertow as ut
from tests.watching.loops import batches, mean_square, net, train, true_norms


def test_micro_batches_are_added_up():
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    expected, deltas = [], []
    with ut.watch(model, optimizer, every=1) as w:
        for inputs in batches(12):
            optimizer.zero_grad()
            for part in inputs.chunk(4):
                (mean_square(model(part)) / 4).backward()
            expected.append(true_norms(model))
            optimizer.step()
    whole = net(4, 6, 1)
    optimizer = torch.optim.SGD(whole.parameters(), 0.1)
    deltas = train(whole, optimizer, batches(12)).to_xarray()["delta_norm"].values[0]
    found = w.trace().to_xarray()
    assert found.grad_norm.values[0] == pytest.approx(np.array(expected), rel=1e-6)
    assert found.delta_norm.values[0] == pytest.approx(deltas, rel=1e-4)
    assert found.attrs["accumulation"] == 4


@pytest.mark.parametrize("foreach", [True, False])
def test_gradients_are_read_before_clipping(foreach: bool):
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    expected, factors = [], []
    with ut.watch(model, optimizer, every=1) as w:
        for inputs in batches(3):
            optimizer.zero_grad()
            mean_square(model(100 * inputs)).backward()
            expected.append(true_norms(model))
            nn.utils.clip_grad_norm_(model.parameters(), 0.01, foreach=foreach)
            factors.append(np.linalg.norm(true_norms(model)) / np.linalg.norm(expected[-1]))
            optimizer.step()
    trace = w.trace()
    assert trace.to_xarray().grad_norm.values[0] == pytest.approx(np.array(expected), rel=1e-6)
    assert [(event.kind, event.step) for event in trace.events] == [
        ("clipped", i) for i in (1, 2, 3)
    ]
    told = [float(event.detail.split()[-1]) for event in trace.events]
    assert told == pytest.approx(factors, rel=1e-3)


def test_a_clip_that_does_not_bind_is_no_event():
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with ut.watch(model, optimizer, every=1) as w:
        for inputs in batches(3):
            optimizer.zero_grad()
            mean_square(model(inputs)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1e9)
            optimizer.step()
    assert w.trace().events == ()


def scaled_loop(optimizer_class: type[torch.optim.Optimizer], bad: set[int], **options: object):
    """Train with a GradScaler; at the steps of `bad` the gradient overflows."""
    model = net(4, 6, 1)
    optimizer = optimizer_class(model.parameters(), lr=0.01, **options)  # pyright: ignore
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    expected = []
    with ut.watch(model, optimizer, every=1, scaler=scaler) as w:
        for number, inputs in enumerate(batches(14), 1):
            optimizer.zero_grad()
            loss = mean_square(model(inputs)) * (float("inf") if number in bad else 1.0)
            scaler.scale(loss).backward()
            scale = scaler.get_scale()
            expected.append(np.array(true_norms(model)) / scale)
            scaler.step(optimizer)
            scaler.update()
    return w.trace(), np.array(expected)


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (torch.optim.SGD, {}),
        (torch.optim.SGD, {"fused": True}),
        (torch.optim.Adam, {"fused": True}),
    ],
)
@pytest.mark.parametrize("bad", [set(), {1}, {5}, {3, 4, 9}])
def test_mixed_precision_is_unscaled_and_its_skips_are_told(
    optimizer: type[torch.optim.Optimizer], options: dict[str, bool], bad: set[int]
):
    trace, expected = scaled_loop(optimizer, bad, **options)
    found = trace.to_xarray()
    good = [step - 1 for step in range(1, 15) if step not in bad]
    assert found.step.values.tolist() == list(range(1, 15))
    assert found.grad_norm.values[0][good] == pytest.approx(expected[good], rel=1e-6)
    assert [event.step for event in trace.events if event.kind == "skipped"] == sorted(bad)
    assert {event.kind for event in trace.events} <= {"skipped"}
    update = found.update_norm.values[0]
    assert (update[good] > 0).all()
    skipped = update[[step - 1 for step in bad]]
    assert ((skipped == 0) | np.isnan(skipped)).all()


def test_skips_are_counted_while_nothing_is_recorded():
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with ut.watch(model, optimizer, every=1000, scaler=scaler) as w:
        for number, inputs in enumerate(batches(40), 1):
            optimizer.zero_grad()
            loss = mean_square(model(inputs)) * (float("inf") if number in (15, 16) else 1.0)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    assert [event.step for event in w.trace().events] == [15, 16]
    assert w.trace().attributes["steps"] == 40


def test_two_optimizers_take_turns():
    model = nn.ModuleList([net(4, 6, 4, seed=0), net(4, 6, 1, seed=1)])
    first = torch.optim.SGD(model[0].parameters(), 0.1)
    second = torch.optim.SGD(model[1].parameters(), 0.1)
    expected = []
    with ut.watch(model, [first, second], every=1) as w:
        for inputs in batches(4):
            second.zero_grad()
            mean_square(model[1](model[0](inputs).detach())).backward()
            norms_of_second = true_norms(model[1])
            second.step()
            first.zero_grad()
            (-mean_square(model[1](model[0](inputs)))).backward()  # reaches both
            expected.append(true_norms(model[0]) + norms_of_second)
            first.step()
    found = w.trace().to_xarray()
    order = [list(found.layer.values).index(name) for name in ("0.0", "0.2", "1.0", "1.2")]
    assert found.grad_norm.values[0][:, order] == pytest.approx(np.array(expected), rel=1e-6)
    assert found.step.values.tolist() == [1, 2, 3, 4]


def test_several_updates_of_one_optimizer_for_one_of_the_other():
    model = nn.ModuleList([net(4, 4, seed=0), net(4, 1, seed=1)])
    first = torch.optim.SGD(model[0].parameters(), 0.1)
    second = torch.optim.SGD(model[1].parameters(), 0.1)
    with ut.watch(model, [first, second], every=1) as w:
        for number, inputs in enumerate(batches(6), 1):
            second.zero_grad()
            mean_square(model[1](model[0](inputs))).backward()
            second.step()
            if number % 3 == 0:
                first.step()
    found = w.trace().to_xarray()
    assert found.step.values.tolist() == [1, 2, 3, 4, 5, 6]
    updated = np.isfinite(found.update_norm.values[0])
    assert updated.tolist() == [[False, True], [False, True], [True, True]] * 2


# What cannot be told is left out: a bare number logged now and then, before its backward pass.
WAYS = [
    (when, every, often, kind)
    for when in ("before backward", "before step", "after step")
    for every in (1, 3)
    for often in (1, 5)
    for kind in ("tensor", "number")
    if (when, often, kind) != ("before backward", 5, "number")
]


@pytest.mark.parametrize(("when", "every", "often", "kind"), WAYS)
def test_a_loss_belongs_to_the_step_whose_backward_made_it(
    when: str, every: int, often: int, kind: str
):
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    losses = {}
    with ut.watch(model, optimizer, every=every) as w:
        for number, inputs in enumerate(batches(31), 1):
            optimizer.zero_grad()
            loss = mean_square(model(inputs))
            given = loss if kind == "tensor" else loss.item()

            def log(moment: str, number: int = number, given: object = given) -> None:
                if moment == when and number % often == 0:
                    w.log(loss=given)

            losses[number] = loss.item()
            log("before backward")
            loss.backward()
            log("before step")
            optimizer.step()
            log("after step")
    found = w.trace().to_xarray()
    for step, value in zip(found.step.values, found.loss.values[0], strict=True):
        if step % often == 0:
            assert value == pytest.approx(losses[step], rel=1e-6)
        else:
            assert np.isnan(value)


def test_without_an_optimizer():
    model = net(4, 6, 1)
    expected, weights = [], [[each.detach().clone() for each in model.parameters()]]
    with ut.watch(model, every=1) as w:
        for inputs in batches(12):
            model.zero_grad()
            loss = mean_square(model(inputs))
            loss.backward()
            expected.append(true_norms(model))
            w.step(loss)
            with torch.no_grad():
                for each in model.parameters():
                    each -= 0.1 * each.grad
            weights.append([each.detach().clone() for each in model.parameters()])
    found = w.trace().to_xarray()
    assert found.grad_norm.values[0] == pytest.approx(np.array(expected), rel=1e-6)
    change = [
        [float((b - a).double().norm()) for a, b in zip(x[::2], y[::2], strict=True)]
        for x, y in pairwise(weights)
    ]
    assert found.update_norm.values[0] == pytest.approx(np.array(change), rel=1e-5)
    assert np.isfinite(found.loss.values).all()


def test_a_gradient_penalty_is_not_a_delta():
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def loss_of(inputs: torch.Tensor, penalty: bool) -> torch.Tensor:
        inputs = inputs.requires_grad_()
        output = model(inputs)
        if penalty:  # runs the tensors' hooks, but is no pass of the loss
            torch.autograd.grad(output.sum(), inputs, retain_graph=True)
        return mean_square(output)

    readings = []
    for penalty in (False, True):
        with ut.watch(model, optimizer, every=1) as w:
            loss_of(next(batches(1)), penalty).backward()
            optimizer.zero_grad()
            loss_of(next(batches(1)), penalty).backward()
            # No step in between: only the watch is asked.
            optimizer.param_groups[0]["lr"] = 0.0
            optimizer.step()
            optimizer.zero_grad()
        readings.append(w.trace().to_xarray().delta_norm.values)
    assert readings[0] == pytest.approx(readings[1], rel=1e-6)


def test_an_evaluation_in_the_loop_leaves_nothing():
    plain = net(4, 6, 1)
    expected = train(plain, torch.optim.SGD(plain.parameters(), 0.1), batches(5)).to_xarray()
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with ut.watch(model, optimizer, every=1) as w:
        for inputs in batches(5):
            optimizer.zero_grad()
            loss = mean_square(model(inputs))
            loss.backward()
            optimizer.step()
            w.log(loss=loss)
            model.eval()
            model(10 * inputs)  # with a graph, which nobody uses
            with torch.no_grad():
                model(inputs)
            model.train()
            with torch.no_grad():
                model(100 * inputs)
    found = w.trace().to_xarray()
    for name in ("delta_norm", "activation_rms", "preactivation_rms", "grad_norm"):
        assert np.array_equal(found[name], expected[name], equal_nan=True)
