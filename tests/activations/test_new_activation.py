"""A new activation is one file: it trains, is predicted, and lanes say that they lack it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.copied_package import copied_package, ran
from tests.one_file import ACTIVATION

PROGRAM = """
import json
import numpy as np, torch
from torch import nn
from undertow.data.dataset import load
from undertow.engine import choice
from undertow.engine.common.activations import ACTIVATIONS
from undertow.engine.common.losses import derivative, losses
from undertow.engine.common.normalisation import running_statistics
from undertow.engine.common.parameters import initial_parameters
from undertow.engine.lanes.supports import refusal
from undertow.engine.torch.buffers import step_buffers
from undertow.engine.torch.forward_backward import backward, forward
from undertow.prediction.network import predict
from undertow.spec.names import ACTIVATIONS as NAMES
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec

spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=6, activation="sine")
data, chunks = load("moons"), []
how = TrainingSpec(epochs=20, optimizer="sgd", learning_rate=0.1)
choice.train(spec, how, data, range(3), chunks.append)

# The gradient of the first weights, by hand and by central differences, in float64.
R, B = 2, 8
parameters = initial_parameters(spec, range(R), torch.float64)
inputs = torch.from_numpy(data.train_inputs[:B].T.astype(float)).expand(R, 2, B)
targets = torch.from_numpy(data.train_targets[:B]).expand(R, B)
at = step_buffers(spec, R, B, torch.float64).each[0]
running = running_statistics(spec, R, torch.float64)
loss = "binary_cross_entropy"
def error():
    return losses(loss, forward(spec, parameters, running, inputs, at, training=True), targets)
error()
derivative(loss, at.logits, targets, at.last_delta)
backward(spec, parameters, inputs, at)
by_hand = at.gradient.weights[0].clone()
by_difference, step = torch.zeros_like(by_hand), 1e-6
weights = parameters.weights[0]
for place in np.ndindex(*weights.shape[1:]):
    here = (slice(None), *place)
    weights[here] += step
    above = error()
    weights[here] -= 2 * step
    by_difference[here] = (above - error()) / (2 * step)
    weights[here] += step

form, z, out = ACTIVATIONS["sine"], torch.tensor([0.5, 1.0]), torch.zeros(2)
given = form.function(z, out=out)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(2, 9), nn.Linear(9, 1)
    def forward(self, x):
        return self.two(torch.sin(self.one(x)))
print(json.dumps({
    "names": NAMES,
    "engine": choice.choose_engine(spec, 3),
    "refusal": refusal(spec),
    "losses": [chunks[at].arrays["loss"].mean(1).tolist() for at in (0, -1)],
    "slope_rms": float(chunks[0].arrays["slope_rms"][0, 0, 0]),
    "difference": float((by_hand - by_difference).abs().max()),
    "largest": float(by_hand.abs().max()),
    "out": [given is out, str(out.dtype), out.tolist()],
    "predicted": predict(spec, data.train_inputs[:50]).dataset["delta_norm"].values[0, 0].tolist(),
    "of a module": predict(Net(), torch.rand(20, 2)).dataset["activation"].values.tolist(),
}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("package")
    (copied_package(folder) / "activations" / "sine.py").write_text(ACTIVATION)
    return json.loads(ran(folder, PROGRAM))


def test_a_specification_may_name_it_after_the_others(seen: dict) -> None:
    assert seen["names"][-2:] == ["linear", "sine"]
    assert "erf" not in seen["names"]


def test_pytorch_trains_it(seen: dict) -> None:
    assert seen["engine"] == "torch"
    assert all(last < 0.7 * first for first, last in zip(*seen["losses"], strict=True))
    assert 0 < seen["slope_rms"] <= 1


def test_its_gradient_is_that_of_finite_differences(seen: dict) -> None:
    assert seen["largest"] > 1e-3
    assert seen["difference"] < 1e-8


def test_it_writes_into_what_it_is_given(seen: dict) -> None:
    same, dtype, values = seen["out"]
    assert (same, dtype) == (True, "torch.float32")
    assert values == pytest.approx([0.4794255, 0.8414710], abs=1e-7)


def test_lanes_say_that_they_lack_it(seen: dict) -> None:
    assert seen["refusal"] == "activation sine: not in lanes"


def test_theory_averages_it(seen: dict) -> None:
    assert len(seen["predicted"]) == 4
    assert all(delta > 0 for delta in seen["predicted"])
    assert seen["of a module"] == ["sine", "linear"]


def test_without_its_file_there_is_none(tmp_path: Path) -> None:
    copied_package(tmp_path)
    with pytest.raises(subprocess.CalledProcessError) as error:
        ran(tmp_path, PROGRAM)
    assert "unknown activation 'sine'" in error.value.stderr
