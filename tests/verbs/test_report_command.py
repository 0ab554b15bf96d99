"""The report as the installed program writes it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sysconfig
from html import unescape
from pathlib import Path

import pytest

import undertow as ut

UNDERTOW = Path(sysconfig.get_path("scripts")) / "undertow"
STUDY = ["run", "moons", "--replicates", "2", "--epochs", "2", "--seed", "3"]
ARMS = ["--arm", "relu", "--arm", "tanh"]


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(UNDERTOW), *words], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def box(path: Path, name: str) -> str:
    (found,) = re.findall(rf'<pre id="{name}"[^>]*>(?:<code>)?([^<]*)<', path.read_text())
    return unescape(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store and the report of a small study."""
    path = tmp_path_factory.mktemp("report")
    run(*STUDY, *ARMS, "--report", "it's <b>.html", cwd=path)
    return path


def test_the_box_has_the_exact_command(folder: Path):
    words = shlex.split(box(folder / "it's <b>.html", "command"))
    assert words == ["undertow", *STUDY, *ARMS, "--report", "it's <b>.html"]


def test_the_command_that_trains_anew_names_the_same_networks(folder: Path):
    run("report", "moons", "-o", "again.html", cwd=folder)
    program, *words = shlex.split(box(folder / "again.html", "again"))
    assert program == "undertow"
    words.remove("--fresh")  # without it the store answers, where it holds just these networks
    document = json.loads(run(*words, "--json", cwd=folder).stdout)
    assert document["networks"] == 0
    assert (folder / "moons.html").exists()
    ids = [arm["run"] for arm in document["arms"]]
    for path in ("again.html", "moons.html", "it's <b>.html"):
        text = box(folder / path, "citation")
        assert sorted(re.findall(r"moons-\w+-\w+", text)) == sorted(ids)


def test_a_whole_study_is_named_without_its_arms(tmp_path: Path):
    run("run", "circles", "--replicates", "1", "--epochs", "1", "--report", "c.html", cwd=tmp_path)
    assert box(tmp_path / "c.html", "again") == (
        "undertow run circles --replicates 1 --seed 0 --epochs 1 --fresh --report circles.html"
    )


def test_a_watched_run_is_cited_by_its_id(tmp_path: Path):
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    inputs = torch.randn(16, 2)
    with ut.watch(model, optimizer, store=tmp_path / "w.db", name="my </script> net", every=1):
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(inputs), inputs[:, :1]).backward()
            optimizer.step()
    (one,) = ut.open(tmp_path / "w.db").runs()
    run("report", one.id, "-o", "w.html", "--store", "w.db", cwd=tmp_path)
    page = tmp_path / "w.html"
    words = shlex.split(box(page, "command"))
    assert words == ["undertow", "report", one.id, "-o", "w.html", "--store", "w.db"]
    assert f"report of run {one.id}; " in box(page, "citation")
    assert 'id="again"' not in page.read_text()
    assert "was watched in its own loop, with SGD and batches of 16: 2 layers" in page.read_text()
