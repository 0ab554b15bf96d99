"""The installed program, run as people and scripts run it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from undertow.app.cli.reference import reference

UNDERTOW = Path(sysconfig.get_path("scripts")) / "undertow"
SMALL = ["--replicates", "3", "--epochs", "2", "--arm", "sigmoid", "--arm", "relu"]


def run(*words: str, cwd: Path, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(UNDERTOW), *words], cwd=cwd, capture_output=True, text=True, check=False, **options
    )


def hear_ctrl_c() -> None:
    """Undo what a shell does to jobs in its background: they, and their children, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of two small runs."""
    path = tmp_path_factory.mktemp("cli")
    done = run("run", "moons", *SMALL, cwd=path)
    assert done.returncode == 0, done.stderr
    return path


PLAN = "moons: 2 arms x 3 networks of 1,031 parameters; 6 to train\n"
EXPERIMENTS = ["batch-norm-depth", "circles", "fashion-remedies", "mnist-depth", "moons"]


def test_run_prints_a_table_and_a_paragraph(tmp_path: Path):
    done = run("run", "moons", *SMALL, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == PLAN
    assert "moons: 3 networks an arm, 2 epochs" in done.stdout
    text = " ".join(done.stdout.split())
    assert "dex is one power of ten" in text
    assert "In sigmoid, before training, layer 1 gets about 1/" in text
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert (tmp_path / "undertow.db").exists()


def test_run_json_is_one_document_with_the_agreed_keys(tmp_path: Path):
    done = run("run", "moons", *SMALL, "--json", "--seed", "4", "--store", "s.db", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert done.stderr == PLAN
    assert {key: document[key] for key in ("experiment", "seed", "replicates", "epochs")} == {
        "experiment": "moons",
        "seed": 4,
        "replicates": 3,
        "epochs": 2,
    }
    assert document["networks"] == 6
    assert document["seconds"] > 0
    assert document["store"] == "s.db"
    assert document["report"] is None
    again = json.loads(
        run("run", "moons", *SMALL, "--json", "--seed", "4", "--store", "s.db", cwd=tmp_path).stdout
    )
    assert again["networks"] == 0
    assert again["arms"] == document["arms"]


def test_list(tmp_path: Path):
    text = run("list", cwd=tmp_path).stdout
    assert "moons:" in text
    assert "  sigmoid-batch-norm" in text
    listed = json.loads(run("list", "--json", cwd=tmp_path).stdout)
    assert [each["experiment"] for each in listed] == EXPERIMENTS


def test_runs(folder: Path):
    table = run("runs", cwd=folder).stdout
    assert "moons-sigmoid-" in table
    assert "finished" in table
    listed = json.loads(run("runs", "--json", cwd=folder).stdout)
    assert [each["state"] for each in listed] == ["finished", "finished"]


def test_export(folder: Path):
    run_id = json.loads(run("runs", "--json", cwd=folder).stdout)[0]["id"]
    done = run("export", run_id, "out.nc", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "undertow: wrote out.nc\n")
    assert (folder / "out.nc").read_bytes()[:3] == b"CDF"
    assert run("export", run_id, "out.csv", cwd=folder).returncode == 0
    assert "grad_norm" in (folder / "out.csv").read_text().splitlines()[0]
    done = run("export", run_id, "out.csv/out.nc", cwd=folder)
    assert done.stderr == "undertow: cannot write out.csv/out.nc: Not a directory\n"
    done = run("export", run_id, "out.pkl", cwd=folder)
    assert done.returncode == 2
    assert done.stderr == (
        "undertow: cannot export to 'out.pkl': the name must end in .nc or .csv\n"
    )


def test_help_and_version(tmp_path: Path):
    for words in ([], ["--help"]):
        done = run(*words, cwd=tmp_path)
        assert done.returncode == 0
        assert "Usage: undertow" in done.stdout
    assert run("--version", cwd=tmp_path).stdout.startswith("undertow 0.")


BAD = {
    "an unknown experiment": (
        ["run", "moon"],
        f"unknown experiment 'moon': did you mean 'moons'? Allowed: {', '.join(EXPERIMENTS)}.",
    ),
    "an unknown arm": (
        ["run", "moons", "--arm", "sigmod"],
        "unknown arm of moons 'sigmod': did you mean 'sigmoid'? Allowed: sigmoid, relu, tanh, "
        "leaky-relu, sigmoid-batch-norm, sigmoid-shallow, sigmoid-sgd, relu-sgd, relu-large-step, "
        "leaky-relu-large-step.",
    ),
    "no replicates": (
        ["run", "moons", "--replicates", "0"],
        "replicates = 0: at least 1, for example --replicates 20",
    ),
    "negative epochs": (
        ["run", "moons", "--epochs", "-3"],
        "epochs = -3: at least 1, for example --epochs 100",
    ),
    "a store in no folder": (
        ["run", "moons", *SMALL, "--store", "no/where.db"],
        "cannot use the store no/where.db: the file or its folder cannot be written. Name another "
        "with --store",
    ),
    "a report in no folder": (
        ["run", "moons", *SMALL, "--report", "no/where.html"],
        "--report no/where.html: there is no folder {cwd}/no",
    ),
    "a report that is no page": (
        ["run", "moons", *SMALL, "--report", "where.pdf"],
        "--report where.pdf: a file that ends in .html",
    ),
    "a folder of data that moons does not read": (
        ["run", "moons", "--data", "somewhere"],
        "moons is made, not read from files: leave --data somewhere out",
    ),
    "no store to list": (
        ["runs", "--store", "none.db"],
        "no store at none.db: name one with --store, or make one with  undertow run moons",
    ),
    "no store to export from": (
        ["export", "r", "out.nc", "--store", "none.db"],
        "no store at none.db: name one with --store, or make one with  undertow run moons",
    ),
    "a text file as store": (
        ["runs", "--store", "notes.txt"],
        "notes.txt is not a store of Undertow's: name another file with --store",
    ),
    "no workers": (
        ["run", "moons", *SMALL, "--workers", "0"],
        "workers = 0: at least 1, for example --workers 2",
    ),
    "a report that is a folder": (
        ["run", "moons", *SMALL, "--report", "d.html"],
        "--report d.html: it cannot be written; name another file",
    ),
    "an export under a file": (
        ["export", "r", "notes.txt/out.nc", "--store", "none.db"],
        "no store at none.db",
    ),
    "an unknown engine": (
        ["run", "moons", *SMALL, "--engine", "lane"],
        "unknown engine 'lane': did you mean 'lanes'? Allowed: auto, torch, lanes.",
    ),
    "an unknown option": (["run", "moons", "--fast"], "No such option: --fast"),
    "a word for a number": (["run", "moons", "--epochs", "ten"], "Invalid value for '--epochs'"),
    "an unknown command": (["rnu", "moons"], "No such command 'rnu'"),
    "no experiment": (["run"], "Missing argument"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_use_is_one_line_and_writes_nothing(tmp_path: Path, case: str):
    words, message = BAD[case]
    (tmp_path / "notes.txt").write_text("not a store " * 20)
    (tmp_path / "d.html").mkdir()
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("undertow: " + message.format(cwd=tmp_path))
    assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.html", "notes.txt"]


def test_a_reader_that_goes_early_ends_the_program_in_silence(folder: Path):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [str(UNDERTOW), "list"], cwd=folder, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert done.stderr == b""


def test_runs_that_were_not_made_alike_are_not_reported_together(tmp_path: Path):
    words = ("--replicates", "2", "--epochs", "1", "--arm")
    run("run", "moons", *words, "sigmoid", cwd=tmp_path)
    run("run", "moons", *words, "relu", "--seed", "9", cwd=tmp_path)
    done = run("report", "moons", "-o", "page.html", cwd=tmp_path)
    assert done.returncode == 2
    assert "relu has other seeds or epochs than sigmoid: name runs" in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_a_full_disk_under_stdout_is_one_line(folder: Path):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [str(UNDERTOW), "runs", "--json"],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "undertow: cannot write the output: No space left on device\n"


def test_ctrl_c_keeps_what_is_done_and_exits_130(tmp_path: Path):
    words = ["run", "moons", "--arm", "relu", "--replicates", "2", "--epochs", "100000"]
    master, slave = pty.openpty()  # a terminal, so that progress tells when training has begun
    process = subprocess.Popen(
        [str(UNDERTOW), *words],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=slave,
        preexec_fn=hear_ctrl_c,
    )
    os.close(slave)
    seen = b""
    while b"epochs" not in seen:
        seen += os.read(master, 1000)
    process.send_signal(signal.SIGINT)
    while True:
        try:
            seen += os.read(master, 1000)
        except OSError:  # the other end is closed
            break
    os.close(master)
    assert process.wait() == 130
    assert b"interrupted: what is done is kept" in seen
    assert b"Traceback" not in seen
    (listed,) = json.loads(run("runs", "--json", cwd=tmp_path).stdout)
    assert listed["state"] == "interrupted"


def test_progress_is_not_shown_when_piped(tmp_path: Path):
    done = run("run", "moons", *SMALL, cwd=tmp_path)
    assert "epochs" not in done.stderr


def test_the_reference_in_docs_is_the_help():
    path = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
    assert path.read_text() == reference(), "type  make docs"


def test_the_module_of_the_reference_prints_it():
    done = subprocess.run(
        [sys.executable, "-m", "undertow.app.cli.reference"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == reference()
