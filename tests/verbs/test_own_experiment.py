"""An experiment of the user's own: trained from its file, reported without it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sysconfig
from html import unescape
from pathlib import Path

import pytest

import undertow as ut
from tests.as_before.kept import copied
from undertow.errors import SpecError
from undertow.studies.description import NOT_JUDGED, read_description
from undertow.verbs import report as report_verb
from undertow.verbs.which_study import find_experiment, known_study

UNDERTOW = Path(sysconfig.get_path("scripts")) / "undertow"
OWN = """
import undertow as ut
from undertow.studies.experiment import Claim, ClaimVerdict

print("said while it is imported")


def network(depth):
    return ut.NetworkSpec(inputs=2, outputs=1, depth=depth, width=6, activation="tanh")


def judged(arms):
    depths = ", ".join(str(arms[name].attributes["network"]["depth"]) for name in sorted(arms))
    return ClaimVerdict("depends", f"depths {depths}")


STUDY = ut.Experiment(
    name="my-depths",
    title="How deep may <b>tanh</b> be?",
    data="moons",
    arms=(
        ut.Arm("two", network(2), ut.TrainingSpec(epochs=2), "2 hidden layers"),
        ut.Arm("nine", network(9), ut.TrainingSpec(epochs=2), "9 hidden <i>layers</i>"),
        ut.Arm("four", network(4), ut.TrainingSpec(epochs=2), "4 hidden layers"),
    ),
    baseline="two",
    claims=(
        Claim(1, "Depth hurts.", ("two", "nine"), judged),
        Claim(2, "Four is enough.", ("two", "four"), judged),
    ),
)
"""
RUN = ["run", "own.py:STUDY", "--replicates", "2", "--arm", "two", "--arm", "nine"]


def typed(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(UNDERTOW), *words], cwd=cwd, capture_output=True, text=True)


def done(*words: str, cwd: Path) -> str:
    found = typed(*words, cwd=cwd)
    assert found.returncode == 0, found.stderr
    return found.stdout


def shown(page: Path) -> str:
    """Return the words of a page, without its elements."""
    text = re.sub(r"<(style|script)\b.*?</\1>", " ", page.read_text(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store and the report of two arms; the experiment's file is gone."""
    path = tmp_path_factory.mktemp("own")
    (path / "own.py").write_text(OWN)
    document = json.loads(done(*RUN, "--json", "--report", "first.html", cwd=path))
    assert document["experiment"] == "my-depths"
    assert [claim["verdict"] for claim in document["claims"]] == ["depends", "not tested"]
    assert json.loads(done(*RUN, "--json", cwd=path))["networks"] == 0
    (path / "own.py").unlink()
    shutil.rmtree(path / "__pycache__", ignore_errors=True)
    return path


def ids(folder: Path) -> dict[str, str]:
    listed = json.loads(done("runs", "--json", cwd=folder))
    return {each["attributes"]["arm"]: each["id"] for each in listed}


def test_its_runs_are_listed_diagnosed_and_explained(folder: Path):
    two, nine = ids(folder)["two"], ids(folder)["nine"]
    assert two.startswith("my-depths-two-")
    assert nine in done("runs", cwd=folder)
    assert typed("diagnose", nine, "--json", cwd=folder).returncode in (0, 1, 3)
    assert len(json.loads(done("explain", nine, "--json", cwd=folder))["layers"]) == 8


@pytest.mark.parametrize("names", [["my-depths"], ["two", "nine"]])
def test_it_is_reported_without_its_file(folder: Path, names: list[str]):
    runs = ids(folder)
    done("report", *(runs.get(name, name) for name in names), "-o", "later.html", cwd=folder)
    page = shown(folder / "later.html")
    for words in (
        "How deep may <b>tanh</b> be?",
        "9 hidden <i>layers</i>",
        "“Depth hurts.” depends . depths 9, 2",
        "“Four is enough.” not tested . needs the arm four, which was not run",
        "undertow run own.py:STUDY --replicates 2 --seed 0 --epochs 2 --arm two --arm nine",
    ):
        assert words in page
        assert words in shown(folder / "first.html")
    assert "<b>tanh" not in (folder / "later.html").read_text()


def test_a_whole_report_and_its_pictures(folder: Path):
    done("report", "my-depths", "-o", "figures", "--png", cwd=folder)
    assert (folder / "figures" / "gradient-by-layer.png").stat().st_size > 1000


def test_a_verdict_stands_only_for_the_runs_that_it_was_judged_by(folder: Path):
    with ut.open(folder / "undertow.db") as store:
        runs = {arm: (run, store.trace(run)) for arm, run in ids(folder).items()}
    known = known_study("my-depths", runs)
    traces = {arm: trace for arm, (_, trace) in runs.items()}
    assert known.claims[0].judge(traces).evidence == "depths 9, 2"
    others = {**runs, "nine": ("another-run", runs["nine"][1])}
    found = known_study("my-depths", others)
    assert found.claims[0].judge(traces) == NOT_JUDGED


def test_an_older_store_is_reported_by_the_built_in_experiment(tmp_path: Path):
    path = copied("lanes", tmp_path)
    with ut.open(path) as store:
        runs = {
            str(each.attributes["arm"]): (each.id, store.trace(each.id)) for each in store.runs()
        }
    assert read_description(runs) is None
    built_in = find_experiment("moons")
    known = known_study("moons", runs)
    assert (known.title, known.baseline, known.claims) == (
        built_in.title,
        built_in.baseline,
        built_in.claims,
    )
    report_verb.report(
        ["moons"], str(tmp_path / "m.html"), png=False, store=str(path), command="undertow report"
    )
    assert built_in.title in shown(tmp_path / "m.html")


def test_a_built_in_study_is_judged_by_its_code(tmp_path: Path):
    words = ["run", "moons", "--replicates", "2", "--epochs", "1", "--arm", "relu"]
    done(*words, cwd=tmp_path)
    with ut.open(tmp_path / "undertow.db") as store:
        (run,) = store.runs()
        runs = {"relu": (run.id, store.trace(run.id))}
    assert "judged" not in run.attributes
    assert run.attributes["study"]["title"] == "Two moons, 10 hidden layers of 10 units"
    assert known_study("moons", runs).claims == find_experiment("moons").claims


BAD = {
    "a file without a name": (
        "own.py",
        "own.py: name the experiment in it, as in  undertow run own.py:",
    ),
    "no file": ("none.py:STUDY", "there is no file none.py: name one, as in my_net.py:make"),
    "no such name": ("own.py:STUDI", "own.py has no 'STUDI': name an undertow.Experiment, or a"),
    "another thing": ("own.py:print", "own.py has no 'print'"),
    "a function of another": ("own.py:network", "own.py:network failed: TypeError: network() mis"),
    "a number": ("number.py:NUMBER", "number.py:NUMBER is int: it must be an undertow.Experiment"),
    "a built-in name": ("named.py:STUDY", "'moons' is a built-in experiment: give yours another"),
    "no arm": ("empty.py:STUDY", "my-depths: no arms; give at least one"),
    "an arm of words": ("words.py:STUDY", "my-depths: arms: one is str: it has to be Arm"),
    "two of one name": ("twice.py:STUDY", "my-depths: two arms are called two; give each"),
    "a name for no id": ("colon.py:STUDY", "experiment 'my:depths': a name of letters, digits"),
    "a lost baseline": ("base.py:STUDY", "my-depths: baseline 'three': one of two, nine, four"),
    "a lost arm of a claim": ("needs.py:STUDY", "my-depths: claim 1 needs the arm 'ten': one of"),
    "no data set": ("data.py:STUDY", "unknown data set 'moon': did you mean 'moons'?"),
    "other inputs": ("inputs.py:STUDY", "my-depths: arm two: inputs = 3: moons has 2"),
    "other outputs": ("outputs.py:STUDY", "my-depths: arm two: outputs = 2: binary_cross_entropy"),
    "many classes": ("digits.py:STUDY", "my-depths: arm two: loss = binary_cross_entropy: digits"),
}
WRITTEN = {
    "number.py": OWN + "\nNUMBER = 3\n",
    "named.py": OWN.replace("my-depths", "moons"),
    "empty.py": OWN + "\nSTUDY = STUDY._replace(arms=())\n",
    "words.py": OWN + "\nSTUDY = STUDY._replace(arms=('two',))\n",
    "twice.py": OWN + "\nSTUDY = STUDY._replace(arms=STUDY.arms[:1] * 2)\n",
    "colon.py": OWN.replace("my-depths", "my:depths"),
    "base.py": OWN + "\nSTUDY = STUDY._replace(baseline='three')\n",
    "needs.py": OWN.replace('("two", "nine"), judged', '("ten",), judged'),
    "data.py": OWN.replace('data="moons"', 'data="moon"'),
    "inputs.py": OWN.replace("inputs=2", "inputs=3"),
    "outputs.py": OWN.replace("outputs=1", "outputs=2"),
    "digits.py": OWN.replace('data="moons"', 'data="digits"').replace("inputs=2", "inputs=64"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_one_line_and_nothing_is_written(tmp_path: Path, case: str):
    target, message = BAD[case]
    for name, text in {"own.py": OWN, **WRITTEN}.items():
        (tmp_path / name).write_text(text)
    found = typed("run", target, "--replicates", "1", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    said = [line for line in found.stderr.splitlines() if not line.startswith("said while")]
    assert len(said) == 1
    assert message in said[0]
    assert not (tmp_path / "undertow.db").exists()


def test_a_function_may_return_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "made.py").write_text(f"{OWN}\ndef make():\n    return STUDY\n")
    monkeypatch.chdir(tmp_path)
    found = find_experiment("made.py:make")
    assert (found.name, found.origin) == ("my-depths", "made.py:make")
    with pytest.raises(SpecError, match="as in my_net.py:make, an undertow.Experiment"):
        find_experiment(":make")
