"""A store keeps what it was given, and refuses what is not one."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import undertow as ut
from undertow.errors import RunMissing, StoreError, StoreForeign, StoreMissing, StoreNewer
from undertow.trace.record import Chunk, Event, Header, Layer, provenance
from undertow.trace.store import writer as writers
from undertow.trace.store.database import FORMAT, connect
from undertow.trace.store.reader import Store

LAYER = Layer("hidden_1", 1, "linear", "tanh", 2, 3)


def header(replicates: int = 2) -> Header:
    return Header((LAYER,), tuple(range(replicates)), provenance("trained", arm="a"))


def chunk(steps: list[int], replicates: int = 2, value: float = 1.0) -> Chunk:
    array = np.full((replicates, len(steps), 1), value, np.float32)
    return Chunk(np.array(steps), np.ones(len(steps), int), {"grad_norm": array})


def filled(path: Path) -> None:
    with ut.open(path, create=True) as store:
        writer = store.begin("a-1", "key", "a", header(3))
        writer.append(0, chunk([1, 2]))
        writer.finish_shard(0, 2, 0.5, {"first_layer_change": np.ones((2, 2))})
        writer.append(2, chunk([1, 2], 1, 2.0))
        writer.finish_shard(2, 1, 0.25, {"first_layer_change": np.zeros((2, 1))})
        writer.finish("finished", (Event("nonfinite", 2, "hidden_1", 0, "why"),))


def test_what_goes_in_comes_out(tmp_path: Path):
    filled(tmp_path / "runs.db")
    with ut.open(tmp_path / "runs.db") as store:
        (run,) = store.runs()
        assert (run.id, run.state, run.replicates, run.finished_replicates) == (
            "a-1",
            "finished",
            3,
            3,
        )
        assert run.seconds == 0.75
        trace = store.trace("a-1")
    assert trace.dataset["grad_norm"].values[:, :, 0].tolist() == [[1, 1], [1, 1], [2, 2]]
    assert trace.artefacts["first_layer_change"].tolist() == [[1, 1, 0], [1, 1, 0]]
    assert trace.events == (Event("nonfinite", 2, "hidden_1", 0, "why"),)
    assert trace.attributes["arm"] == "a"


def test_a_run_is_found_by_the_beginning_of_its_id(tmp_path: Path):
    filled(tmp_path / "runs.db")
    with ut.open(tmp_path / "runs.db") as store:
        store.begin("a-2", "other", "a", header()).finish()
        assert store.run("a-1").id == "a-1"
        with pytest.raises(RunMissing, match="run 'a' stands for several runs .*: a-1, a-2"):
            store.run("a")
        with pytest.raises(RunMissing, match="run 'b' is not in the store .* undertow runs"):
            store.run("b")
        with pytest.raises(RunMissing):
            store.run("")


def test_what_is_known_later_is_added_to_a_run(tmp_path: Path):
    filled(tmp_path / "runs.db")
    with ut.open(tmp_path / "runs.db") as store:
        before = store.header("a-1")
        store.annotate("a-1", judged=[{"number": 1}])
        after = store.header("a-1")
        assert store.run("a-1").state == "finished"
    assert after == Header(
        before.layers, before.seeds, {**before.attributes, "judged": [{"number": 1}]}
    )


def test_ids_are_never_taken_twice(tmp_path: Path):
    filled(tmp_path / "runs.db")
    with ut.open(tmp_path / "runs.db") as store:
        assert store.new_id("a-1") == "a-1-2"
        assert store.new_id("new") == "new"


def test_taking_up_a_run_drops_only_what_was_not_whole(tmp_path: Path):
    with ut.open(tmp_path / "runs.db", create=True) as store:
        writer = store.begin("r", "key", "r", header(3))
        writer.append(0, chunk([1]))
        writer.finish_shard(0, 2, 1.0, {})
        writer.append(2, chunk([1], 1, 5.0))
        writer.abandon()
        assert store.runs()[0].state == "interrupted"
        assert store.trace("r").dataset["grad_norm"].values[2, 0, 0] == 5.0
        store.begin("r", "key", "r", header(3))
        assert store.finished_shards("r") == [0]
        assert np.isnan(store.trace("r").dataset["grad_norm"].values[2]).all()
        assert store.runs()[0].state == "running"


def test_a_run_that_another_process_writes_is_refused(tmp_path: Path):
    with ut.open(tmp_path / "runs.db", create=True) as store:
        store.begin("r", "key", "r", header())
        parent = os.getppid()
        born = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[19]
        with store.writing() as connection:
            connection.execute("UPDATE runs SET pid = ?, born = ?", (parent, born))
        with pytest.raises(StoreError, match=f"run r is being written by process {parent}"):
            store.begin("r", "key", "r", header())


def test_a_process_number_used_again_is_not_the_writer(tmp_path: Path):
    with ut.open(tmp_path / "runs.db", create=True) as store:
        store.begin("r", "key", "r", header())
        with store.writing() as connection:
            connection.execute("UPDATE runs SET pid = ?, born = '1'", (os.getppid(),))
        assert store.runs()[0].state == "interrupted"


def test_no_store(tmp_path: Path):
    with pytest.raises(StoreMissing, match="no store at .*: name one with --store, or make one"):
        ut.open(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()


def test_a_folder(tmp_path: Path):
    with pytest.raises(StoreForeign, match="is a folder: name a file"):
        ut.open(tmp_path)


def test_a_text_file(tmp_path: Path):
    path = tmp_path / "notes.txt"
    path.write_text("not a store " * 20)
    for create in (False, True):
        with pytest.raises(StoreForeign, match="notes.txt is not a store of Undertow's: name"):
            ut.open(path, create=create)
    assert path.read_text() == "not a store " * 20


def test_another_programs_sqlite_file(tmp_path: Path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    connection.close()
    with pytest.raises(StoreForeign, match="is an SQLite file, but not a store of Undertow's"):
        ut.open(path, create=True)


def test_a_truncated_store(tmp_path: Path):
    path = tmp_path / "runs.db"
    filled(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreForeign, match="is damaged: .* bytes are there. Restore it"):
        ut.open(path)


def test_a_store_killed_while_its_log_was_moved_over_is_whole(tmp_path: Path):
    path, copy = tmp_path / "runs.db", tmp_path / "copy.db"
    connection = connect(path, create=True)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    store = Store(path, connection)
    writer = store.begin("a-1", "key", "a", header(3))
    writer.append(0, chunk([1, 2]))
    writer.flush()
    for end in ("", "-wal"):
        (tmp_path / f"copy.db{end}").write_bytes((tmp_path / f"runs.db{end}").read_bytes())
    store.close()  # moves the log over: the first page now counts them all
    first = path.read_bytes()[:4096]
    copy.write_bytes(first + copy.read_bytes()[4096:])
    with ut.open(copy) as opened:
        assert opened.trace("a-1").dataset.sizes["step"] == 2


def test_a_store_with_damaged_pages(tmp_path: Path):
    path = tmp_path / "runs.db"
    filled(path)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with (
        pytest.raises(StoreForeign, match="is damaged .*: restore it from a copy"),
        ut.open(path) as store,
    ):
        store.runs()


def test_a_newer_store(tmp_path: Path):
    path = tmp_path / "runs.db"
    filled(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.close()
    with pytest.raises(StoreNewer, match=f"format {FORMAT + 1}, and this Undertow reads {FORMAT}"):
        ut.open(path)


@pytest.mark.parametrize("content", [b"", None])
def test_a_file_left_at_birth_is_an_empty_store(tmp_path: Path, content: bytes | None):
    path = tmp_path / "runs.db"
    if content is None:  # killed between the journal's mode and the first table
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
    else:
        path.write_bytes(content)
    with ut.open(path) as store:
        assert store.runs() == []


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(StoreError, match="the file or its folder cannot be written"):
        ut.open(tmp_path / "no" / "runs.db", create=True)


def test_a_reader_sees_a_run_while_it_is_written(tmp_path: Path):
    path = tmp_path / "runs.db"
    with ut.open(path, create=True) as store:
        writer = store.begin("r", "key", "r", header())
        writer.append(0, chunk([1]))
        writer.flush()
        reader: Store
        with ut.open(path) as reader:
            assert reader.runs()[0].state == "running"
            assert reader.trace("r").dataset.sizes["step"] == 1
            writer.append(0, chunk([2]))
            writer.flush()
            assert reader.trace("r").dataset.sizes["step"] == 2


def test_much_at_once_is_packed_beside_and_written_at_the_next_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writers, "PACK_BYTES", 10)
    monkeypatch.setattr(writers, "FLUSH_SECONDS", 1e9)
    with ut.open(tmp_path / "runs.db", create=True) as store:
        writer = store.begin("r", "key", "r", header())
        for step in range(1, 6):
            writer.append(0, chunk([step], value=step))
        assert store.trace("r").dataset.sizes["step"] == 0
        writer.flush()
        found = store.trace("r").dataset["grad_norm"].values[:, :, 0]
    assert found.tolist() == [[1, 2, 3, 4, 5]] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_packs_with_threads_of_its_own(tmp_path: Path):
    forking = FORKING.format(folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", forking], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


FORKING = """
import os
import numpy as np, undertow as ut
from undertow.trace.record import Chunk, Header, Layer, provenance
from undertow.trace.store.writer import packers
def write(name):
    with ut.open(r"{folder}/" + name, create=True) as store:
        header = Header((Layer("a", 1, "linear", "tanh", 2, 3),), (0,), provenance("trained"))
        writer = store.begin("r", "key", "r", header)
        writer.append(0, Chunk(np.array([1]), np.array([1]), dict(grad_norm=np.ones((1, 1, 1)))))
        writer.flush()
write("parent.db")
threads = packers()
child = os.fork()
if child == 0:
    write("child.db")
    os._exit(packers() is threads)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_what_could_not_be_written_is_written_by_the_next_flush(tmp_path: Path):
    connection = connect(tmp_path / "runs.db", create=True)
    with Store(tmp_path / "runs.db", connection) as store:
        writer = store.begin("r", "key", "r", header())
        writer.append(0, chunk([1]))
        connection.execute("PRAGMA query_only = ON")
        with pytest.raises(StoreError):
            writer.flush()
        connection.execute("PRAGMA query_only = OFF")
        writer.append(0, chunk([2]))
        writer.flush()
        assert store.trace("r").dataset.sizes["step"] == 2


def test_a_transaction_interrupted_at_its_beginning_is_not_left_open(tmp_path):
    """Ctrl-C as soon as SQLite has begun: later writes must not vanish into it."""
    connection = connect(tmp_path / "runs.db", create=True)

    class Interrupted:
        times = 1

        def execute(self, *words):
            found = connection.execute(*words)
            if words[0] == "BEGIN IMMEDIATE" and self.times:
                self.times -= 1
                raise KeyboardInterrupt
            return found

        def __getattr__(self, name):
            return getattr(connection, name)

    interrupted: Any = Interrupted()
    with Store(tmp_path / "runs.db", interrupted) as store:
        with pytest.raises(KeyboardInterrupt), store.at_once():
            raise AssertionError("not reached")
        assert not connection.in_transaction
        with store.writing():  # in a transaction of its own, and not as a part of the broken one
            assert connection.in_transaction
        assert not connection.in_transaction


BORN_TOGETHER = """
import multiprocessing, sys
import undertow as ut

def make(folder, start):
    for number in range(60):
        start.wait()
        with ut.open(f"{folder}/{number}.db", create=True) as store:
            assert store.runs() == []

many = multiprocessing.get_context("fork")
start = many.Barrier(4, timeout=10)
makers = [many.Process(target=make, args=(sys.argv[1], start)) for _ in range(4)]
for maker in makers:
    maker.start()
for maker in makers:
    maker.join()
sys.exit(any(maker.exitcode for maker in makers))
"""


def test_processes_may_make_one_store_at_the_same_time(tmp_path: Path):
    command = [sys.executable, "-c", BORN_TOGETHER, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-500:]


def test_a_store_that_goes_while_it_is_opened_is_not_made_again(tmp_path, monkeypatch):
    """Between the look for the file and SQLite's opening it, another process may remove it."""
    path = tmp_path / "runs.db"
    ut.open(path, create=True).close()
    connect = sqlite3.connect

    def too_late(*arguments, **options):
        for each in tmp_path.iterdir():
            each.unlink()
        return connect(*arguments, **options)

    monkeypatch.setattr(sqlite3, "connect", too_late)
    with pytest.raises(StoreMissing, match="no store at"):
        ut.open(path)
    assert list(tmp_path.iterdir()) == []
