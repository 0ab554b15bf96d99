"""`undertow watch`, as installed, beside another process that writes a run step by step."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sysconfig
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.writing import Writing

UNDERTOW = Path(sysconfig.get_path("scripts")) / "undertow"
PATIENCE = 60  # seconds until a terminal that does not show what it should is a failure


class Watching:
    """`undertow watch` in a terminal of its own; ended with the `with`, if not before."""

    def __init__(self, *words: str, cwd: Path, width: int = 100, height: int = 30):
        self.terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.process = subprocess.Popen(
            [str(UNDERTOW), "watch", *words],
            cwd=cwd,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            # A size in the environment would outrank the terminal's own.
            env={**os.environ, "TERM": "xterm", "COLUMNS": "", "LINES": ""},
            # A shell lets jobs in its background ignore Ctrl-C, and their children as well.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(theirs)
        self.seen = ""

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)

    def until(self, text: str) -> None:
        """Read until the terminal was sent this text, after what was waited for before."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert select.select([self.terminal], [], [], deadline - time.monotonic())[0], self.seen
            self.seen += os.read(self.terminal, 65536).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def rest(self) -> str:
        """Read what is sent until the program has ended."""
        while True:
            try:
                self.seen += os.read(self.terminal, 65536).decode(errors="replace")
            except OSError:  # the other end is closed
                return self.seen


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[Writing]:
    found = Writing(tmp_path / "runs.db", "net")
    yield found
    found.close()


def undertow(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(UNDERTOW), *words], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_a_run_that_another_process_writes_is_followed_to_its_end(tmp_path: Path, writing: Writing):
    with Watching("runs.db", cwd=tmp_path) as watching:
        watching.until("net   running   no step recorded yet")
        writing.tell(1)
        watching.until("net   running   step 1")
        writing.tell(2)
        watching.until("net   running   step 2   recording every step")
        watching.until("loss 0.5")
        watching.until("encoder.[bold]0[/]   linear    -5.70")
        watching.until(r"two\x1b]0;owned\x07")
        writing.tell(30)
        watching.until("net   running   step 30   recording 1 step in 28")
        writing.tell("end")
        watching.until("net   finished   step 30")
        rest = watching.rest()
        assert "step 3  clipped  factor 0.25" in rest
        assert "\x1b]0;" not in rest
        assert watching.process.wait() == 0


def test_a_writer_that_is_killed_ends_the_view(tmp_path: Path, writing: Writing):
    writing.tell(1)
    with Watching("--store", "runs.db", cwd=tmp_path) as watching:
        watching.until("net   running   step 1")
        writing.close()
        watching.until("net   interrupted   step 1")
        watching.rest()
        assert watching.process.wait() == 0


def test_ctrl_c_leaves_the_last_state_and_no_traceback(tmp_path: Path, writing: Writing):
    writing.tell(1)
    with Watching("runs.db", cwd=tmp_path) as watching:
        watching.until("net   running   step 1")
        watching.process.send_signal(signal.SIGINT)
        rest = watching.rest()
        assert watching.process.wait() == 130
    left = rest.rpartition("\x1b[?1049l")[2]  # the terminal's own screen again
    assert "net   running   step 1" in left
    assert "Traceback" not in rest


def test_the_view_fills_a_small_terminal_and_no_more(tmp_path: Path, writing: Writing):
    writing.tell(1)
    with Watching("runs.db", cwd=tmp_path, width=60, height=12) as watching:
        watching.until("net   running   step 1")
        writing.tell(2)
        watching.until("\x1b[H")  # the top of the screen, where each drawing begins
        watching.until("\x1b[H")
        watching.process.send_signal(signal.SIGTERM)
        whole = watching.rest().partition("\x1b[?1049l")[0].partition("\x1b[H")[0]
        assert watching.process.wait() == 143
    assert len(whole.split("\r\n")) == 12


def test_without_a_terminal_it_prints_once(tmp_path: Path, writing: Writing):
    writing.tell(4)
    done = undertow("watch", "runs.db", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["net   running   step 4", "loss 0.25"]
    assert "\x1b" not in done.stdout
    assert done.stdout == undertow("watch", "--store", "runs.db", "--once", cwd=tmp_path).stdout


def test_json_is_the_newest_step(tmp_path: Path, writing: Writing):
    writing.tell(1)
    writing.tell(4)
    writing.tell("end")
    done = undertow("watch", "runs.db", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    layers = document.pop("layers")
    assert [layer["grad_norm"] for layer in layers] == [4e-6, None, 4.0]
    assert [layer["nonfinite"] for layer in layers] == [0, 7, 0]
    assert [layer["name"] for layer in layers][1] == "two\x1b]0;owned\x07"
    assert document == {
        "run": "net",
        "name": "net",
        "source": "watched",
        "state": "finished",
        "replicate": 1,
        "replicates": 1,
        "step": 4,
        "steps": None,
        "sampling_interval": 3,
        "loss": 0.25,
        "layers_step": 4,
        "events": [
            {"kind": "clipped", "step": 3, "layer": None, "replicate": 0, "detail": "factor 0.25"}
        ],
    }


def test_the_run_that_is_being_written_comes_before_a_newer_one(tmp_path: Path, writing: Writing):
    writing.tell(1)
    newer = Writing(tmp_path / "runs.db", "other")
    newer.tell("end")
    newer.close()
    assert undertow("watch", "runs.db", cwd=tmp_path).stdout.startswith("net   running")
    named = undertow("watch", "runs.db", "--run", "oth", cwd=tmp_path).stdout
    assert named.startswith("other   finished   no step recorded yet")
    writing.tell("end")
    assert undertow("watch", "runs.db", cwd=tmp_path).stdout.startswith("other   finished")


def test_runs_export_and_report_of_a_watched_run(tmp_path: Path, writing: Writing):
    writing.tell(1500)
    lines = undertow("runs", "--store", "runs.db", cwd=tmp_path).stdout.splitlines()
    assert lines[0].split() == ["run", "state", "step", "nets", "seconds", "created"]
    assert lines[2].split()[:5] == ["net", "running", "1,500", "1", "-"]
    (listed,) = json.loads(undertow("runs", "--store", "runs.db", "--json", cwd=tmp_path).stdout)
    assert (listed["source"], listed["step"]) == ("watched", 1500)
    for name in ("out.nc", "out.csv"):
        done = undertow("export", "net", name, "--store", "runs.db", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, f"undertow: wrote {name}\n")
    assert "\n0,1500,encoder.[bold]0[/],0.0015," in (tmp_path / "out.csv").read_text()
    done = undertow("report", "net", "-o", "page.html", "--store", "runs.db", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "undertow: wrote page.html\n")
    page = (tmp_path / "page.html").read_text()
    assert "<h1>Watched: net</h1>" in page
    assert page.index(">The verdict</h2>") < page.index(">The evidence</h2>")
    assert "stuck" not in page.partition(">The evidence</h2>")[0].partition("<main")[2]
    # Its layers have names that are HTML; what is drawn of them is JSON.
    assert "encoder.[bold]0[/]" in page
    done = undertow("report", "net", "-o", "folder", "--png", "--store", "runs.db", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "undertow: wrote folder\n")
    assert "gradient-by-layer.png" in {each.name for each in (tmp_path / "folder").iterdir()}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.db", "--store", "b.db"], "two stores, a.db and --store b.db: name one"),
        (["a.db"], "no store at a.db: name one with --store, or make one with"),
        (["empty.db"], "no run in empty.db yet: begin one, then look again"),
        (["runs.db", "--run", "x\x1b[2J"], r"run 'x\x1b[2J' is not in the store runs.db: net."),
    ],
)
def test_bad_use_is_one_line(tmp_path: Path, writing: Writing, words: list[str], message: str):
    (tmp_path / "empty.db").touch()
    done = undertow("watch", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"undertow: {message}")
    assert len(done.stderr.splitlines()) == 1


def test_a_terminal_without_blocks_gets_question_marks(tmp_path: Path, writing: Writing):
    writing.tell(1)
    done = subprocess.run(
        [str(UNDERTOW), "watch", "runs.db"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.stdout.isascii()
    assert b"?" in done.stdout
