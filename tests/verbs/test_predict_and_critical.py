"""`undertow predict` and `undertow critical`, as an installed program."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import undertow as ut
from undertow.data.dataset import load

UNDERTOW = Path(sysconfig.get_path("scripts")) / "undertow"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(UNDERTOW), *words], capture_output=True, text=True, check=False)


FULL = (
    *("predict", "--depth", "10", "--width", "10", "--inputs", "2", "--outputs", "1"),
    *("--activation", "sigmoid", "--init", "glorot_uniform", "--data", "moons", "--batch", "32"),
)


def test_predict_json_is_what_the_library_says():
    done = run(*FULL, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    moons = load("moons").first(32)
    spec = ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    found = ut.predict(spec, moons.train_inputs, targets=moons.train_targets).to_xarray()
    layers = document["layers"]
    assert [layer["depth"] for layer in layers] == list(range(1, 12))
    for key, name in (("log10_grad_norm", "grad_norm"), ("log10_delta_norm", "delta_norm")):
        assert [layer[key] for layer in layers] == pytest.approx(np.log10(found[name])[0, 0])
    assert [layer["sd_dex"] for layer in layers] == pytest.approx(found["sd_dex"][0, 0])
    first, last = layers[0]["log10_delta_norm"], layers[-2]["log10_delta_norm"]
    assert document["total_dex"] == pytest.approx(first - last)
    assert document["total_dex"] == pytest.approx(-5.6, abs=0.2)


def test_predict_for_people():
    done = run(*FULL)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("output") and line.rstrip().endswith("█" * 30) for line in lines)
    assert "dex" in done.stdout


def test_where_nothing_is_known_of_the_scatter_there_is_none():
    document = json.loads(run("predict", "--normalisation", "batch", "--json").stdout)
    assert {layer["sd_dex"] for layer in document["layers"]} == {None}
    assert " - " in run("predict", "--normalisation", "batch").stdout


def test_a_gradient_below_every_number_is_null_and_no_warning():
    done = run("predict", "--depth", "600", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["layers"][0]["log10_grad_norm"] is None
    assert document["total_dex"] is None


def test_critical_json():
    done = run("critical", "tanh", "--bias-variance", "0.05", "--json")
    document = json.loads(done.stdout)
    assert list(document) == [
        *("activation", "weight_variance", "bias_variance", "fixed_point", "stable")
    ]
    assert document["weight_variance"] == pytest.approx(1.760955, abs=1e-6)
    assert document["fixed_point"] == pytest.approx(0.570048, abs=1e-6)
    assert document["stable"] is True


def test_critical_for_people():
    assert "scaled_normal(2, 0)" in run("critical", "relu").stdout
    assert "whatever variance they have" in run("critical", "relu").stdout
    assert "do not return" in run("critical", "gelu").stdout


def test_no_critical_point():
    done = run("critical", "softplus", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document["critical"] is None
    assert document["reason"].startswith("softplus has no critical initialisation")
    assert run("critical", "softplus").returncode == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["critical", "tnh"], "unknown activation 'tnh': did you mean 'tanh'? Allowed: sigmoid"),
        (["critical", "tanh", "--bias-variance", "-1"], "bias_variance = -1.0: must be finite"),
        (["predict", "--activation", "foo"], "unknown activation 'foo'"),
        (["predict", "--init", "he"], "unknown initialisation 'he'"),
        (["predict", "--data", "moon"], "unknown data set 'moon': did you mean 'moons'?"),
        (["predict", "--batch", "0"], "batch = 0: at least 1 sample"),
        (["predict", "--inputs", "0"], "inputs = 0"),
        (["predict", "--data", "moons", "--batch", "999"], "batch = 999: moons has 200 training"),
        (["predict", "--data", "digits", "--inputs", "3"], "inputs = 3: digits has 64"),
        (["predict", "--data", "digits"], "outputs = 1: digits has 10 classes; type  --outputs 10"),
        (["predict", "--depth", "0"], "depth = 0"),
        (["predict", "--normalisation", "btch"], "unknown normalisation 'btch'"),
    ],
)
def test_bad_input_is_one_line(words, message):
    done = run(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"undertow: {message}")
    assert len(done.stderr.splitlines()) == 1


def test_the_critical_point_needs_no_scipy():
    program = (
        "import sys; sys.argv = ['undertow', 'critical', 'tanh']\n"
        "from undertow.app.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('scipy', 'torch', 'xarray') if name in sys.modules])"
    )
    import sys

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
