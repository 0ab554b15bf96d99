"""Which modules are layers, what they are called, and what is said of those that cannot be seen."""

from __future__ import annotations

import logging
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import undertow as ut
from tests.watching.loops import batches, mean_square, net, train, true_norms
from undertow.errors import SpecError
from undertow.watching.torch.layers import modules


class Wrapper(nn.Module):
    """Names its model `module`, as DistributedDataParallel does."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, inputs: Tensor) -> Tensor:
        return self.module(inputs)


def names(model: nn.Module) -> list[str]:
    return [weight.name for module in modules(model) for weight in module.weights]


def test_names_are_paths_without_wrappers():
    assert names(Wrapper(net(4, 6, 1))) == ["0", "2"]
    assert names(nn.Linear(2, 2)) == ["weight"]


def test_several_weights_in_one_module():
    model = nn.ModuleDict(
        {"core": nn.LSTM(3, 4, num_layers=2), "attn": nn.MultiheadAttention(4, 2)}
    )
    assert names(model) == [
        "core.weight_ih_l0",
        "core.weight_hh_l0",
        "core.weight_ih_l1",
        "core.weight_hh_l1",
        "attn",
        "attn.out_proj",
    ]


def test_a_parametrised_weight():
    model = nn.Sequential(torch.nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)))
    assert names(model) == [
        "0.parametrizations.weight.original0",
        "0.parametrizations.weight.original1",
    ]


@pytest.mark.parametrize(
    ("module", "kind", "fan_in", "fan_out"),
    [
        (nn.Linear(4, 3), "linear", 4, 3),
        (nn.Conv2d(4, 6, 3), "conv", 36, 54),
        (nn.Conv1d(4, 4, 3, groups=4), "conv", 3, 3),
        (nn.ConvTranspose2d(4, 6, 3), "conv", 36, 54),
        (nn.BatchNorm1d(5), "batch_norm", 1, 5),
        (nn.LayerNorm(5), "layer_norm", 1, 5),
        (nn.Embedding(10, 4), "embedding", 10, 4),
        (nn.PReLU(), "prelu", 1, 1),
    ],
)
def test_kinds_and_fans(module: nn.Module, kind: str, fan_in: int, fan_out: int):
    (found,) = modules(module)
    (weight,) = found.weights
    assert (found.kind, weight.fan_in, weight.fan_out) == (kind, fan_in, fan_out)


def test_order_is_that_of_the_first_pass():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.unused, self.body = nn.Linear(6, 1), nn.Linear(2, 2), nn.Linear(4, 6)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.head(torch.tanh(self.body(inputs)))

    model = Backwards()
    found = train(model, torch.optim.SGD(model.parameters(), 0.1), batches(3)).to_xarray()
    assert found.layer.values.tolist() == ["body", "head", "unused"]
    assert found.depth.values.tolist() == [1, 2, 3]
    assert found.activation.values.tolist() == ["tanh", "linear", "linear"]
    assert np.isnan(found.grad_norm.sel(layer="unused")).all()


def test_what_cannot_be_seen_is_said_once_in_one_line(caplog: pytest.LogCaptureFixture):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.attn = nn.MultiheadAttention(4, 2, batch_first=True)
            self.unused = nn.Linear(2, 2)
            self.head = nn.Linear(4, 1)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.head(self.attn(inputs, inputs, inputs)[0])

    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    data = (inputs[:, None] for inputs in batches(5))
    with caplog.at_level(logging.WARNING):
        trace = train(model, optimizer, data)
    assert [record.message for record in caplog.records] == [
        "undertow: 2 of 4 layers cannot be seen whole: attn.out_proj (its parent uses its weight "
        "without calling it), unused (it was not called)"
    ]
    assert set(trace.attributes["not_seen"]) == {"attn.out_proj", "unused"}
    found = trace.to_xarray()
    assert (found.grad_norm.sel(layer="attn.out_proj") > 0).all()
    assert np.isnan(found.delta_norm.sel(layer="attn.out_proj")).all()
    assert (found.delta_norm.sel(layer="attn") > 0).all()


def test_all_seen_says_nothing(caplog: pytest.LogCaptureFixture):
    model = net(4, 6, 1)
    with caplog.at_level(logging.WARNING):
        train(model, torch.optim.SGD(model.parameters(), 0.1), batches(12), every=3)
    assert caplog.records == []


def test_frozen_layers_have_no_gradient_and_are_no_surprise(caplog: pytest.LogCaptureFixture):
    model = net(4, 6, 6, 1)
    model[2].requires_grad_(False)
    with caplog.at_level(logging.WARNING):
        found = train(model, torch.optim.SGD(model.parameters(), 0.1), batches(3)).to_xarray()
    assert caplog.records == []
    assert found.trainable.values.tolist() == [True, False, True]
    assert np.isnan(found.grad_norm.sel(layer="2")).all()
    assert (found.delta_norm > 0).all()  # it passes through


def test_a_layer_called_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = nn.Linear(4, 4), nn.Linear(4, 1)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.head(torch.tanh(self.layer(torch.tanh(self.layer(inputs)))))

    model = Twice()
    found = train(model, torch.optim.SGD(model.parameters(), 0.1), batches(3)).to_xarray()
    assert found.layer.values.tolist() == ["layer", "layer#2", "head"]
    assert np.isnan(found.grad_norm.sel(layer="layer#2")).all()
    assert (found.delta_norm > 0).all()
    assert (found.slope_rms.sel(layer=["layer", "layer#2"]) > 0).all()


def test_an_lstm_of_which_only_the_last_state_is_used():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.core, self.head = nn.LSTM(1, 5, batch_first=True), nn.Linear(5, 1)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.head(self.core(inputs[..., None])[1][0][-1])

    model = Reader()
    found = train(model, torch.optim.SGD(model.parameters(), 0.1), batches(3)).to_xarray()
    assert found.layer.values.tolist() == ["core.weight_ih_l0", "core.weight_hh_l0", "head"]
    assert (found.delta_norm > 0).all()


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("when", ["before the watch", "in the watch", "after a step", "in place"])
def test_compiled(backend: str, when: str, caplog: pytest.LogCaptureFixture):
    torch.compiler.reset()
    twin, model = net(4, 6, 1), net(4, 6, 1)
    called = torch.compile(model, backend=backend) if when == "before the watch" else model
    watched = called if when == "before the watch" else model
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    twins_optimizer = torch.optim.SGD(twin.parameters(), 0.1)
    if when == "in place":
        model.compile(backend=backend)
    expected = []
    with caplog.at_level(logging.WARNING), ut.watch(watched, optimizer, every=1) as w:
        if when == "in the watch":
            called = torch.compile(model, backend=backend)
        for number, inputs in enumerate(batches(14)):
            if when == "after a step" and number == 3:
                called = torch.compile(model, backend=backend)
            for each, its in ((called, optimizer), (twin, twins_optimizer)):
                its.zero_grad()
                mean_square(each(inputs)).backward()
            expected.append(true_norms(model))
            optimizer.step()
            twins_optimizer.step()
    found = w.trace().to_xarray()
    assert found.grad_norm.values[0] == pytest.approx(np.array(expected), rel=1e-6)
    assert w.failure is None
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one, other)
    deltas = found.get("delta_norm")
    if when == "after a step":  # until it was compiled
        assert np.isfinite(deltas.values[0, :3]).all()
        assert np.isnan(deltas.values[0, 3:]).all()
    else:
        assert deltas is None
        (line,) = [record.message for record in caplog.records]
        assert line.startswith("undertow: 2 of 2 layers cannot be seen whole: 0, 2 (")
        assert "compiled" in line


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.ReLU(), "ReLU has no parameter that is a weight: there is no gradient to watch."),
        (3, "model of type int: give a torch.nn.Module"),
        (nn.Sequential(nn.LazyLinear(3)), "'0' has no weight yet: put one batch through the model"),
    ],
)
def test_models_that_cannot_be_watched(model: object, message: str):
    with pytest.raises(SpecError) as error:
        ut.watch(model)  # pyright: ignore
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


OTHERS = torch.optim.SGD([nn.Parameter(torch.ones(2))], 0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": OTHERS}, "SGD holds no parameter of this Sequential: give the one that"),
        ({"optimizer": 0.1}, "optimizer of type float: give a torch.optim.Optimizer, a list of"),
        ({"every": 0}, "every = 0: 'auto', or a number of steps from 1"),
        ({"every": "always"}, "every = 'always': 'auto', or a number of steps from 1"),
        ({"budget": 0}, "budget = 0: a share above 0 and up to 1, for example 0.02"),
        ({"record": "gradient"}, "unknown record 'gradient': did you mean 'gradients'?"),
        ({"optimizer": []}, "an empty list of optimizers: leave it out, and call w.step(loss)"),
        ({"scaler": True}, "scaler of type bool: give the torch.amp.GradScaler"),
        ({"store": 3}, "store = 3: the path of a file, for example 'runs.db'"),
        ({"name": ""}, "name = '': some words, for example 'my-net'"),
        ({"limit": 10}, "limit = 10: bytes, at least 1,000,000"),
        ({"name": "mine"}, "name = 'mine' without a store: type  ut.watch(..., store='runs.db')"),
    ],
)
def test_bad_use_is_one_line(options: dict[str, object], message: str):
    with pytest.raises(SpecError) as error:
        ut.watch(net(4, 1), **options)  # pyright: ignore
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_the_same_optimizer_twice():
    model = net(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with (
        ut.watch(model, optimizer),
        pytest.raises(SpecError, match="SGD is watched already: close"),
    ):
        ut.watch(model, optimizer)
    ut.watch(model, optimizer).close()
    with pytest.raises(SpecError, match="the same optimizer stands twice in the list"):
        ut.watch(model, [optimizer, optimizer])


def test_what_is_logged_is_checked():
    with ut.watch(net(4, 1)) as w:
        with pytest.raises(
            SpecError, match="log\\(losses=...\\): allowed are loss, accuracy, epoch"
        ):
            w.log(losses=1.0)
        with pytest.raises(SpecError, match="a tensor of shape \\(3,\\); log its mean, a number"):
            w.log(loss=torch.ones(3))
        with pytest.raises(SpecError, match="log\\(epoch=...\\): -3; a whole number from 1"):
            w.log(epoch=-3)
        with pytest.raises(SpecError, match="log\\(loss=...\\): 'low' is not a number"):
            w.log(loss="low")
        w.step(1.0)


SAVED = """
import sys
sys.modules["undertow"] = None  # not installed there
import torch
model = torch.load(sys.argv[1], weights_only=False)
print(model(torch.ones(1, 4)).shape)
"""


def test_a_saved_model_opens_where_undertow_is_missing(tmp_path):
    model = net(4, 6, 1)
    with ut.watch(model, torch.optim.SGD(model.parameters(), 0.1)):
        torch.save(model, tmp_path / "model.pt")
    done = subprocess.run(
        [sys.executable, "-c", SAVED, str(tmp_path / "model.pt")], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("torch.Size([1, 1])\n", "")


def test_a_layer_that_is_first_reached_in_the_third_step_is_reached(
    caplog: pytest.LogCaptureFixture,
):
    torch.manual_seed(0)
    model = nn.ModuleDict(
        {"body": nn.Linear(4, 4), "late": nn.Linear(4, 4), "never": nn.Linear(4, 4)}
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with caplog.at_level(logging.WARNING, "undertow"), ut.watch(model, optimizer, every=1) as w:
        for step in range(1, 13):
            x = model["body"](torch.ones(2, 4))
            x = model["late"](x) if step >= 3 else x
            optimizer.zero_grad()
            x.square().mean().backward()
            optimizer.step()
            assert len(caplog.records) == (step >= 10)
    (record,) = caplog.records
    words = "undertow: 1 of 3 layers cannot be seen whole: never (it was not called)"
    assert record.getMessage() == words
    assert w.trace().attributes["not_seen"] == {"never": "it was not called"}


def test_what_was_said_to_be_unseen_is_taken_back():
    torch.manual_seed(0)
    model = nn.ModuleDict({"body": nn.Linear(4, 4), "late": nn.Linear(4, 4)})
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with ut.watch(model, optimizer, every=1) as w:
        for step in range(1, 20):
            x = model["body"](torch.ones(2, 4))
            x = model["late"](x) if step >= 15 else x
            optimizer.zero_grad()
            x.square().mean().backward()
            optimizer.step()
    assert w.trace().attributes["not_seen"] == {}
    assert "cannot be seen" not in w.summary()
