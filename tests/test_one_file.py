"""One thing is one file: an added file arrives wherever its kind is listed, judged or drawn."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.copied_package import commanded, copied_package, ran
from tests.one_file import ACTIVATION, FILES

REST = """
import json
from unittest.mock import MagicMock

import torch
import undertow as ut
from undertow.app.pages.playground import controls
from undertow.data.dataset import sets
from undertow.diagnosis import threshold_tables
from undertow.diagnosis.thresholds import Thresholds
from undertow.experiments.presets import PRESETS
from undertow.remedies import ADVICE, REMEDIES
from undertow.show.report.glossary import codes


def watched(sink):
    net = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters())
    with ut.watch(net, optimizer, sinks=[sink]):
        net(torch.ones(3, 2)).mean().backward()
        optimizer.step()
    return sink.words


mo = MagicMock()
controls.shape(mo, PRESETS[0].trial)
menus = [(call.kwargs.get("label"), call.args[0]) for call in mo.ui.dropdown.call_args_list]
print(json.dumps({
    "menu": next(list(options) for label, options in menus if label == controls.NAMES["act"]),
    "page": threshold_tables.blocks(Thresholds(any_weight=0.5))["UT199"],
    "glossary": codes({"net": {"findings": [{"code": "UT199"}]}}),
    "advice": ADVICE["sine-units"],
    "trial": REMEDIES["sine-units"].on_trial(PRESETS[0].trial).network.activation,
    "data": sets()["stripes"].about,
    "sink": watched(ut.sinks.Words()),
}))
"""


class Seen(NamedTuple):
    """What the programs print, and the report that one of them writes."""

    listed: str
    ran: str
    report: str
    diagnosis: dict
    rest: dict


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("package")
    copy = copied_package(folder)
    for name, text in FILES.items():
        assert not (copy / name).exists()
        (copy / name).write_text(text)
    listed = commanded(folder, "list")
    few = ("--replicates", "3", "--epochs", "2", "--workers", "1", "--report", "page.html")
    printed = commanded(folder, "run", "two-stripes", *few)
    run = re.findall(r"two-stripes-relu-\w+", commanded(folder, "runs"))[0]
    return Seen(
        listed,
        printed,
        (folder / "page.html").read_text(),
        json.loads(commanded(folder, "diagnose", run, "--json", exits=(0, 1, 3))),
        json.loads(ran(folder, REST)),
    )


def test_an_experiment_is_listed_and_run_on_its_data_set(seen: Seen) -> None:
    assert re.search(r"two-stripes\b.*Two stripes, 2 hidden layers", seen.listed)
    assert "sine-units" in seen.ran
    assert "Two stripes, 2 hidden layers" in seen.report
    assert seen.rest["data"] == "two stripes in a plane"


def test_a_claim_is_judged(seen: Seen) -> None:
    assert "Sines are as good as anything." in seen.report
    assert "So say 6 networks." in seen.report


def test_a_rule_is_asked(seen: Seen) -> None:
    found = {each["code"]: each for each in seen.diagnosis["findings"]}
    assert found["UT199"]["evidence"] == "there are weights"
    assert ["UT199", "weights at all", "docs/rules/UT199.md"] in seen.rest["glossary"]
    assert seen.rest["page"].endswith("| `any_weight` | 0.5 | norm | A weight above it is one. |")


def test_a_remedy_is_advised_and_discussed(seen: Seen) -> None:
    root = seen.diagnosis["root_cause"]  # of a healthy network: the new rule comes last
    assert (root["code"], root["remedies"], root["advice"]) == (
        "UT199",
        ["sine-units"],
        ["units that wave"],
    )
    assert seen.rest["advice"] == "units that wave"
    assert seen.rest["trial"] == "sine"
    assert "They wave at the gradient." in seen.report


def test_an_activation_is_on_the_menu(seen: Seen) -> None:
    assert seen.rest["menu"][-2:] == ["linear", "sine"]


def test_a_sink_is_told_of_a_watched_run(seen: Seen) -> None:
    assert seen.rest["sink"] == ["begin", "1 layers", "step 1", "1 layers", "finished"]


def test_without_the_files_nothing_arrives(tmp_path: Path) -> None:
    copy = copied_package(tmp_path)
    assert "two-stripes" not in commanded(tmp_path, "list")
    # A file alone, in a room that does not look for it, is none.
    (copy / "spec" / "sine.py").write_text(ACTIVATION)
    program = "from undertow.activations.activation import find; find('sine')"
    with pytest.raises(subprocess.CalledProcessError) as error:
        ran(tmp_path, program)
    assert "unknown activation 'sine'" in error.value.stderr
