"""`undertow atlas`, as installed where nothing is trained, and its document where little is."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

from undertow.spec.checked import with_changes
from undertow.studies import atlas
from undertow.verbs import atlas as trainability

UNDERTOW = Path(sysconfig.get_path("scripts")) / "undertow"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gelu"], "unknown activation with a map 'gelu'"),
        (["tanh", "--networks", "0"], "networks = 0: 1 to 1,000,000"),
        (["tanh", "--report", "map.txt"], "--report map.txt: a file that ends in .html"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_no_store(tmp_path, words, said):
    done = subprocess.run(
        [UNDERTOW, "atlas", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(atlas, "DEPTHS", (2, 4))
    monkeypatch.setattr(atlas, "VARIANCES", 3)
    monkeypatch.setattr(atlas, "TRAINING", with_changes(atlas.TRAINING, epochs=2))
    monkeypatch.setattr(
        atlas.run, "__kwdefaults__", {**atlas.run.__kwdefaults__, "training": atlas.TRAINING}
    )


def test_the_document_is_the_one_promised(tmp_path, small, capsys):
    store, report = tmp_path / "runs.db", tmp_path / "map.html"
    said = {"store": str(store), "report": str(report), "fresh": False, "command": "undertow atlas"}
    document = trainability.atlas("relu", networks=6, **said)
    assert capsys.readouterr().err == "relu: 6 networks of 2 to 4 layers\n"
    assert document["activation"] == "relu"
    assert document["networks"] == 6
    assert document["seconds"] > 0
    assert len(document["cells"]) == 6
    for cell in document["cells"]:
        assert set(cell) == {"depth", "weight_variance", "replicates", "trained_fraction"}
    assert "Which relu networks train" in report.read_text()
    again = trainability.atlas("relu", networks=6, **said)
    assert again["networks"] == 0
    assert again["cells"] == document["cells"]
