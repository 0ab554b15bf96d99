"""`undertow diagnose` and `undertow explain`, as an installed program."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import undertow as ut
from undertow.app.cli.main import main

Called = Callable[..., tuple[int, str, str]]
UNDERTOW = Path(sysconfig.get_path("scripts")) / "undertow"
FILE = """
import torch
from torch import nn

print("imported")


def make(activation=nn.Sigmoid, draw=nn.init.xavier_uniform_):
    print("made")
    torch.manual_seed(0)
    layers = []
    for fan_in, fan_out in zip([4, *[16] * 10], [*[16] * 10, 1]):
        linear = nn.Linear(fan_in, fan_out)
        draw(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, activation()]
    return nn.Sequential(*layers[:-1]), loss, (torch.randn(64, 4), torch.rand(64, 1))


def loss(output, targets):
    print("a loss")
    return nn.functional.mse_loss(output, targets)


class Loud(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, inputs):
        print("forward")
        return self.model(inputs)


def relu():
    return make(nn.ReLU, nn.init.kaiming_normal_)


def loud():
    model, *others = make()
    return Loud(model), *others

"""
QUIET = """
import sys

import torch
from torch import nn

BATCH = torch.zeros(8, 4), torch.zeros(8, 1)
MODEL = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
LOSS = nn.functional.mse_loss
number = 3


def raises():
    raise ValueError("no data\\nin the cupboard")


def ends():
    sys.exit(0)


def two():
    return MODEL, LOSS


def nothing():
    pass


def no_model():
    return 3, LOSS, BATCH


def no_pair():
    return MODEL, LOSS, BATCH[0]


def wide():
    return MODEL, LOSS, (torch.zeros(8, 5), BATCH[1])


def per_sample():
    return MODEL, nn.MSELoss(reduction="none"), BATCH
"""


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(UNDERTOW), *words], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a user's files, a store of one small run, and one of a watched run."""
    path = tmp_path_factory.mktemp("insight")
    (path / "my_net.py").write_text(FILE)
    (path / "quiet.py").write_text(QUIET)
    (path / "broken.py").write_text("import torch\n1 / 0\n")
    (path / "package").mkdir()
    (path / "package" / "nets.py").write_text("from my_net import make, relu\n")
    words = (
        "run",
        "moons",
        "--replicates",
        "2",
        "--epochs",
        "2",
        "--arm",
        "sigmoid",
        "--workers",
        "1",
    )
    done = run(*words, cwd=path)
    assert done.returncode == 0, done.stderr
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    store = path / "watched.db"
    with ut.watch(model, optimizer, store=store, name="mine", record="gradients") as w:
        model(torch.ones(4, 2)).mean().backward()
        optimizer.step()
        w.log(loss=1.0)
    return path


@pytest.fixture
def called(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Called]:
    """Call the program's entry without a process of its own, which costs two seconds each."""
    before, modules = signal.getsignal(signal.SIGTERM), set(sys.modules)
    monkeypatch.chdir(folder)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["undertow", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    yield call
    signal.signal(signal.SIGTERM, before)
    for name in ("my_net", "quiet", "broken", "package.nets", "package"):
        if name not in modules:
            sys.modules.pop(name, None)


def run_id(folder: Path) -> str:
    with ut.open(folder / "undertow.db") as store:
        (found,) = store.runs()
        return found.id


def test_a_sick_model_exits_1_and_only_the_document_is_on_stdout(folder: Path):
    done = run("diagnose", "my_net.py:loud", "--json", cwd=folder)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert done.stderr.splitlines() == ["imported", "made", "forward", "a loss"]
    assert set(document) >= {"outcome", "root_cause", "findings", "rules"}
    root = document["root_cause"]
    assert set(root) >= {"code", "title", "layers", "evidence", "remedies"}
    assert (document["outcome"], root["code"]) == ("sick", "UT101")
    assert root["layers"][0] == "model.0"
    assert [each["code"] for each in document["rules"]] == [f"UT{101 + i}" for i in range(14)]
    assert all(set(each) >= {"code", "outcome", "reason"} for each in document["rules"])


def test_a_healthy_model_exits_0(folder: Path):
    done = run("diagnose", "package.nets:relu", cwd=folder)
    assert done.returncode == 0
    assert done.stdout.startswith("package.nets:relu: healthy: the gradient reaches every layer\n")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_of_what_nothing_is_known_it_exits_3(folder: Path, called: Called):
    """A run of gradients alone has no deltas."""
    done = run("diagnose", "mine", "--store", "watched.db", cwd=folder)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("mine: undecided, because of the deltas nothing is known")
    status, said, _ = called("diagnose", "mine", "--store", "watched.db", "--json")
    document = json.loads(said)
    assert (status, document["outcome"], document["root_cause"]) == (3, "undecided", None)
    assert document["reason"]


def test_a_verdict_for_people(called: Called):
    status, said, _ = called("diagnose", "my_net.py:make")
    assert status == 1
    assert said.startswith("my_net.py:make: sick: vanishing gradient (UT101) at 0, 2, ")
    assert "batch-norm" in said
    assert max(map(len, said.splitlines())) <= 80


def test_theory_is_asked_too(called: Called):
    _, said, _ = called("diagnose", "my_net.py:make", "--theory", "--json")
    document = json.loads(said)
    assert document["root_cause"]["code"] == "UT113"
    assert "theory expects" in document["root_cause"]["evidence"]


def test_explain_is_one_document_that_closes(folder: Path):
    done = run("explain", "my_net.py:loud", "--json", "--figure", "way.png", cwd=folder)
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    terms = {
        *("ceiling", "saturation", "covariance", "weight_scale", "alignment", "normalisation"),
        *("skip", "fan_out", "other"),
    }
    assert set(document) >= {"total_dex", "layers", "closure_error", "summary"}
    assert all(set(each["terms"]) == terms for each in document["layers"])
    assert [each["name"] for each in document["layers"]] == [f"model.{2 * i}" for i in range(9)]
    parts = math.fsum(sum(each["terms"].values()) for each in document["layers"])
    assert parts == pytest.approx(document["total_dex"], abs=1e-5)
    assert document["total_dex"] < -4
    assert (folder / "way.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_explain_for_people(called: Called):
    status, said, _ = called("explain", "package.nets:make")
    assert status == 0
    text = " ".join(said.split())
    assert "decades are the sigmoid's 1/4 ceiling, between '18', the last hidden layer" in text
    assert "Decades (dex) that delta gains or loses, layer by layer" in text
    assert max(map(len, said.splitlines())) <= 80


def test_a_run_is_diagnosed(called: Called, folder: Path):
    status, said, _ = called("diagnose", run_id(folder), "--json")
    document = json.loads(said)
    assert (status, document["root_cause"]["code"]) == (1, "UT101")
    assert "hidden_1" in document["root_cause"]["layers"]
    assert document["findings"][0]["share"] == 1


def test_a_run_is_explained_by_the_beginning_of_its_name(called: Called, folder: Path):
    short = run_id(folder)[:-2]
    status, said, error = called("explain", short, "--json", "--figure", "way.svg")
    budget = json.loads(said)
    assert (status, error) == (0, "")
    assert [each["name"] for each in budget["layers"]] == [f"hidden_{i}" for i in range(1, 10)]
    assert (budget["replicates"], budget["of"]) == (2, 2)
    assert budget["closure_error"] < 1e-9
    assert (folder / "way.svg").read_text().startswith("<svg")


BAD = {
    "no such file": ("nets.py:make", "there is no file nets.py: name one, as in my_net.py:make"),
    "no such module": (
        "no_such_nets:make",
        "no module 'no_such_nets': name a module that can be imported here",
    ),
    "no such function": ("quiet.py:mak", "quiet.py has no function 'mak': name a function that"),
    "no function": ("quiet.py:number", "quiet.py has no function 'number'"),
    "no name": ("quiet.py:", "quiet.py:: as in my_net.py:make, a function that returns"),
    "a file that fails": ("broken.py:make", "broken.py cannot be imported: ZeroDivisionError: "),
    "a factory that raises": ("quiet.py:raises", "quiet.py:raises failed: ValueError: no data"),
    "a factory that ends": ("quiet.py:ends", "quiet.py:ends failed: SystemExit: 0"),
    "two values": ("quiet.py:two", "quiet.py:two returned 2 values: it must be a function that"),
    "no value": ("quiet.py:nothing", "quiet.py:nothing returned NoneType: it must be"),
    "no model": ("quiet.py:no_model", "model of type int: give a torch.nn.Module"),
    "no pair": ("quiet.py:no_pair", "batch: must be a pair (inputs, targets)"),
    "a wrong batch": ("quiet.py:wide", "quiet.py:wide failed on its batch: RuntimeError: mat1"),
    "no scalar": ("quiet.py:per_sample", "loss_fn gave shape (8, 1): must be a tensor of one"),
    "no such run": ("nonesuch", "run 'nonesuch' is not in the store undertow.db: moons-"),
    "no store": ("moons --store none.db", "no store at none.db: name one with --store"),
    "no store in it": ("moons --store quiet.py", "quiet.py is not a store of Undertow's"),
    "theory for a run": ("moons-sigmoid --theory", "--theory is for MODULE:FACTORY"),
}
OF_EXPLAIN = {
    "no function": BAD["no function"],
    "no scalar": BAD["no scalar"],
    "a wrong batch": ("quiet.py:wide", "the model failed on its batch: RuntimeError: mat1"),
    "no store": BAD["no store"],
    "a figure in no folder": (
        "moons --figure no/way.png",
        "--figure no/way.png: there is no folder {cwd}/no",
    ),
    "a figure that is none": (
        "moons --figure way.pdf",
        "--figure way.pdf: a file that ends in .png or .svg",
    ),
    "no probe": ("mine --store watched.db", "run mine holds no probe: runs of the laboratory"),
}


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        *(("diagnose", *each) for each in BAD.values()),
        *(("explain", *each) for each in OF_EXPLAIN.values()),
    ],
    ids=[*BAD, *(f"explain: {name}" for name in OF_EXPLAIN)],
)
def test_bad_use_is_one_line(called: Called, folder: Path, command: str, words: str, message: str):
    words = words.replace("moons-sigmoid", run_id(folder))
    status, out, error = called(command, *words.split(), "--json")
    assert (status, out) == (2, "")
    assert error.startswith("undertow: " + message.format(cwd=folder))
    assert len(error.splitlines()) == 1


def test_so_it_is_of_the_installed_program(folder: Path):
    done = run("diagnose", "quiet.py:raises", "--json", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "undertow: quiet.py:raises failed: ValueError: no data\n"
