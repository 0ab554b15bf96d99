"""Loops that are not as simple as the first page's, and what may not be done to them."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import undertow as ut
from tests.watching.loops import batches, mean_square, net, train, true_norms
from undertow.watching.core.guard import Guard
from undertow.watching.torch.layer_calls import LayerCall


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), 0.1)


def hooks(model: nn.Module) -> int:
    own = [module._forward_hooks or module._forward_pre_hooks for module in model.modules()]
    theirs = [each._post_accumulate_grad_hooks for each in model.parameters()]
    return sum(map(bool, own)) + sum(map(bool, theirs))


def plain(model: nn.Module, count: int = 5) -> Any:
    """Return what the plainest loop measures of a copy of this model."""
    twin = net(4, 6, 1)
    twin.load_state_dict(model.state_dict())
    return train(twin, sgd(twin), batches(count)).to_xarray()


# PyTorch announces its end; programs that use it are still there.
JIT = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


@JIT
def test_a_trace_by_jit():
    model = net(4, 6, 1)
    with ut.watch(model, sgd(model), every=1) as w:
        traced = torch.jit.trace(model, torch.ones(2, 4))
    assert torch.equal(traced(torch.ones(2, 4)), model(torch.ones(2, 4)))
    assert w.failure is None


@JIT
def test_a_scripted_part_is_declared(caplog: pytest.LogCaptureFixture):
    model = nn.Sequential(torch.jit.script(nn.Linear(4, 6)), nn.Tanh(), nn.Linear(6, 1))
    with caplog.at_level(logging.WARNING):
        found = train(model, sgd(model), batches(3)).to_xarray()
    assert (found.grad_norm > 0).all()
    (line,) = [record.message for record in caplog.records]
    assert line.endswith("0 (it is a ScriptModule, which takes no hooks)")


def test_after_close_nothing_comes_back():
    model = net(4, 6, 1)
    optimizer = sgd(model)
    with ut.watch(model, optimizer, every=100) as w:
        for inputs in batches(30):
            optimizer.zero_grad()
            mean_square(model(inputs)).backward()
            optimizer.step()
    w.log(loss=float("nan"))
    w.close()
    assert hooks(model) == 0
    with ut.watch(model) as other:
        pass
    other.step(float("nan"))
    assert hooks(model) == 0


@pytest.mark.parametrize("to_none", [True, False])
def test_a_closure(to_none: bool):
    model = net(4, 6, 1)
    expected = plain(model)
    optimizer = sgd(model)
    with ut.watch(model, optimizer, every=1) as w:
        for inputs in batches(5):

            def closure(inputs: Tensor = inputs) -> Tensor:
                optimizer.zero_grad(set_to_none=to_none)
                loss = mean_square(model(inputs))
                loss.backward()
                return loss

            w.log(loss=optimizer.step(closure))
    found = w.trace().to_xarray()
    for name in ("grad_norm", "delta_norm", "update_norm", "loss"):
        assert found[name].values == pytest.approx(expected[name].values, rel=1e-5)


@pytest.mark.parametrize("to_none", [True, False])
def test_lbfgs_shows_its_last_evaluation(to_none: bool):
    model = net(4, 6, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
    expected = []
    with ut.watch(model, optimizer, every=1) as w:
        for inputs in batches(4):
            norms: list[list[float]] = []

            def closure(inputs: Tensor = inputs, norms: list[list[float]] = norms) -> Tensor:
                optimizer.zero_grad(set_to_none=to_none)
                loss = mean_square(model(inputs) - 1)
                loss.backward()
                norms.append(true_norms(model))
                return loss

            optimizer.step(closure)
            expected.append(norms[-1])
    found = w.trace().to_xarray()
    assert found.grad_norm.values[0] == pytest.approx(np.array(expected), rel=1e-5)
    assert np.isfinite(found.delta_norm).all()


@pytest.mark.parametrize("to_none", [True, False])
def test_gradients_set_to_zero_before_the_pass_that_counts(to_none: bool):
    model = net(4, 6, 1)
    expected = plain(model)
    optimizer = sgd(model)
    with ut.watch(model, optimizer, every=1) as w:
        for inputs in batches(5):
            mean_square(model(9 * inputs)).backward()  # looked at and thrown away
            optimizer.zero_grad(set_to_none=to_none)
            mean_square(model(inputs)).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=to_none)
    found = w.trace().to_xarray()
    for name in ("grad_norm", "delta_norm", "activation_rms"):
        assert found[name].values == pytest.approx(expected[name].values, rel=1e-5, nan_ok=True)


@pytest.mark.parametrize("to_none", [True, False])
def test_a_generator_first(to_none: bool):
    maker, judge = net(4, 6, 4, seed=0), net(4, 6, 1, seed=1)
    model, makers, judges = nn.ModuleList([maker, judge]), sgd(maker), sgd(judge)
    alone = net(4, 6, 1, seed=1)
    with ut.watch(model, [makers, judges], every=1) as w:
        for inputs in batches(1):
            makers.zero_grad(set_to_none=to_none)
            (-mean_square(judge(maker(inputs)))).backward()  # reaches both
            makers.step()
            judges.zero_grad(set_to_none=to_none)
            mean_square(judge(inputs)).backward()
            judges.step()
    found = w.trace().to_xarray().sel(layer=["1.0", "1.2"])
    expected = train(alone, sgd(alone), batches(1)).to_xarray()
    for name in ("grad_norm", "delta_norm"):
        assert found[name].values == pytest.approx(expected[name].values, rel=1e-5)


def test_each_of_a_critic_s_updates_has_its_gradient():
    maker, critic = net(4, 4, seed=0), net(4, 1, seed=1)
    makers, critics = sgd(maker), sgd(critic)
    expected = []
    with ut.watch(nn.ModuleList([maker, critic]), [makers, critics], every=1) as w:
        for number, inputs in enumerate(batches(9), 1):
            critics.zero_grad()
            mean_square(critic(maker(inputs).detach())).backward()
            expected.append(true_norms(critic)[0])
            critics.step()
            if number % 3 == 0:
                makers.zero_grad()
                (-mean_square(critic(maker(inputs)))).backward()
                makers.step()
    found = w.trace().to_xarray()
    assert found.step.values.tolist() == list(range(1, 10))
    assert found.grad_norm.sel(layer="1.0").values[0] == pytest.approx(expected, rel=1e-5)
    own = np.isfinite(found.grad_norm.sel(layer="0.0").values[0])
    assert own.tolist() == [False, False, True] * 3


def test_a_forward_pass_of_a_target_network_is_no_call():
    model = net(4, 6, 1)
    expected = plain(model)
    optimizer = sgd(model)
    with ut.watch(model, optimizer, every=1) as w:
        for inputs in batches(5):
            optimizer.zero_grad()
            target = model(inputs + 1).detach()  # with a graph that nobody uses
            mean_square(model(inputs) - 0 * target).backward()
            optimizer.step()
    found = w.trace().to_xarray()
    assert found.layer.values.tolist() == ["0", "2"]
    assert found.delta_norm.values == pytest.approx(expected.delta_norm.values, rel=1e-5)


class Breaks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor) -> Tensor:
        return inputs.clone()

    @staticmethod
    def backward(ctx: Any, *deltas: Tensor) -> Tensor:
        raise RuntimeError("out of memory")


def test_a_backward_pass_that_is_tried_again():
    model = net(4, 6, 1)
    expected = plain(model)
    optimizer = sgd(model)
    with ut.watch(model, optimizer, every=1) as w:
        for inputs in batches(5):
            optimizer.zero_grad()
            hidden = torch.tanh(model[0](inputs))
            with pytest.raises(RuntimeError, match="out of memory"):
                mean_square(model[2](Breaks.apply(hidden))).backward()  # pyright: ignore
            optimizer.zero_grad()
            mean_square(model(inputs)).backward()
            optimizer.step()
    found = w.trace().to_xarray()
    for name in ("grad_norm", "delta_norm"):
        assert found[name].values == pytest.approx(expected[name].values, rel=1e-5)


def test_an_output_that_gets_no_delta():
    class Split(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(6, 4))

        def forward(self, inputs: Tensor) -> Any:
            return (inputs @ self.weight.T).split(3, -1)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.split, self.head = Split(), nn.Linear(3, 1)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.head(self.split(inputs)[1])

    model = Model()
    found = train(model, sgd(model), batches(3)).to_xarray()
    assert found.step.values.tolist() == [1, 2, 3]
    assert (found.delta_norm > 0).all()


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_an_empty_batch(activation: type[nn.Module]):
    model = net(4, 6, 1, activation=activation)
    found = train(model, sgd(model), (inputs[:0] for inputs in batches(3)))
    assert found.to_xarray().step.values.tolist() == [1, 2, 3]


def vectorised(model: Any, inputs: Tensor) -> None:
    torch.func.vmap(model)(inputs)


def jacobian(model: Any, inputs: Tensor) -> None:
    torch.func.jacrev(model)(inputs[0])


def many_at_once(model: Any, inputs: Tensor) -> None:
    output = model(inputs)
    many = torch.eye(output.numel()).view(-1, *output.shape)
    torch.autograd.grad(output, list(model.parameters()), many, is_grads_batched=True)


@pytest.mark.parametrize("use", [vectorised, jacobian, many_at_once])
def test_transforms_in_the_loop(use: Callable[[Any, Tensor], None]):
    model = net(4, 6, 1)
    expected = plain(model)
    optimizer = sgd(model)
    with ut.watch(model, optimizer, every=1) as w:
        for inputs in batches(5):
            use(model, inputs)
            optimizer.zero_grad()
            mean_square(model(inputs)).backward()
            optimizer.step()
    assert w.failure is None
    found = w.trace().to_xarray()
    assert found.delta_norm.values == pytest.approx(expected.delta_norm.values, rel=1e-5)


def test_an_optimizer_in_the_backward_pass():
    model = net(4, 6, 1)
    own = {each: torch.optim.SGD([each], 0.1) for each in model.parameters()}

    def step(parameter: Any) -> None:
        own[parameter].step()
        own[parameter].zero_grad()

    for each in model.parameters():
        each.register_post_accumulate_grad_hook(step)
    with ut.watch(model, every=1) as w:
        for inputs in batches(3):
            mean_square(model(inputs)).backward()
            w.step()
    assert w.failure is None
    assert np.isnan(w.trace().dataset.grad_norm).all()


def test_unfreezing_in_the_middle():
    model = net(4, 6, 1)
    model[0].requires_grad_(False)
    optimizer = sgd(model)
    with ut.watch(model, optimizer, every=1) as w:
        for number, inputs in enumerate(batches(6)):
            model[0].requires_grad_(number >= 3)
            optimizer.zero_grad()
            mean_square(model(inputs)).backward()
            optimizer.step()
    seen = np.isfinite(w.trace().dataset.grad_norm.sel(layer="0").values[0])
    # The step in which it is freed has begun by then.
    assert seen.tolist() == [False] * 4 + [True] * 2


def calls_in_memory() -> int:
    gc.collect()  # of watches that are over
    return sum(type(each) is LayerCall for each in gc.get_objects())


def test_an_optimizer_that_was_replaced(caplog: pytest.LogCaptureFixture):
    model = net(4, 6, 1)
    with caplog.at_level(logging.WARNING), ut.watch(model, sgd(model), every=1):
        other = sgd(model)
        for inputs in batches(1200, 1):
            other.zero_grad(set_to_none=False)
            mean_square(model(inputs)).backward()
            other.step()
        assert 0 < calls_in_memory() <= 2000
    assert "1000 backward passes and no step of the optimizer" in caplog.records[0].getMessage()


def test_an_error_of_the_writer_loses_nothing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    from undertow.trace.store.writer import Writer

    write, calls = Writer.write, []

    def once(self: Any, *rest: Any) -> int:
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return write(self, *rest)

    monkeypatch.setattr(Writer, "write", once)
    model = net(4, 6, 1)
    trace = train(model, sgd(model), batches(20), store=tmp_path / "runs.db")
    assert trace.dataset.step.values.tolist() == list(range(1, 21))


def test_memory_is_counted(tmp_path: Any):
    import tracemalloc

    model = net(4, 6, 1)
    optimizer = sgd(model)
    with ut.watch(model, optimizer, every=1, limit=1_000_000) as w:
        tracemalloc.start()
        for inputs in batches(3000, 2):
            optimizer.zero_grad()
            mean_square(model(inputs)).backward()
            optimizer.step()
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert held < 2 * w.size + 200_000
    assert w.size < 1_000_000
    assert len(w.trace().dataset.step) > 500


def test_steps_to_come_cost_nothing_yet(monkeypatch: pytest.MonkeyPatch):
    run, measured = Guard.run, []

    def counted(self: Guard, function: Callable[..., Any], *values: Any) -> Any:
        measured.append(function)
        return run(self, function, *values)

    monkeypatch.setattr(Guard, "run", counted)
    model = net(4, 6, 1)
    optimizer = sgd(model)
    with ut.watch(model, optimizer, every=10**9) as w:
        for inputs in batches(60):
            optimizer.zero_grad()
            mean_square(model(inputs)).backward()
            optimizer.step()
        assert measured
        measured.clear()
        for _ in range(10_000):
            optimizer.step()
        assert measured == []
    found = w.trace().attributes
    assert (found["steps"], found["recorded_steps"]) == (10_060, 10)
    assert 0 < found["overhead"] < 5
