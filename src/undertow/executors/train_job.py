"""How a job is trained: its networks as one batch, or large ones each by itself, a thread a core.

A batch of networks shares the cost of every call, which is most of what a small network costs. A
large one fills its calls alone: trained by itself, its numbers stay in the cache, and three divide
among two cores, which three products do not (docs/performance.md).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator
from functools import partial
from itertools import count
from queue import SimpleQueue

from undertow.data.dataset import Data
from undertow.engine.choice import ENGINES, train_with
from undertow.engine.common.memory import keep_freed_memory
from undertow.engine.common.stretches import in_stretches
from undertow.engine.common.threads import thread_count, torch_threads
from undertow.engine.engine import NO_HOOKS, Artefacts, Epochs, Hooks, hand_over
from undertow.executors.fair_threads import FairThreads, TurnsStopped
from undertow.executors.jobs import Finished, Job, Result, join_artefacts, join_chunks
from undertow.trace.record import Chunk

LARGE = 1 << 21  # multiplications of a hidden layer and batch; below, threads wait for a lock
A_TURN = 32  # steps; a network that takes its turn finds the cache full of another's numbers

# From the threads: the place of a network, and its next chunk, its artefacts, or what ended it.
Arrived = SimpleQueue[tuple[int, Chunk | Artefacts | BaseException]]


def train_job(job: Job, data: Data, hooks: Hooks | None = None) -> Generator[Result, None, None]:
    """Train a job on the threads PyTorch has: yield a chunk an epoch, and at last the end.

    >>> from undertow.data.dataset import load
    >>> from undertow.executors.jobs import Part
    >>> from undertow.spec.network import NetworkSpec
    >>> from undertow.spec.training import TrainingSpec
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> job = Job((Part(0, 0, spec, (0, 1)),), TrainingSpec(epochs=2), "torch")
    >>> [type(result).__name__ for result in train_job(job, load("moons"))]
    ['Chunk', 'Chunk', 'Finished']

    With hooks, which are to see all networks at once, these are one batch.
    """
    keep_freed_memory()
    began = time.perf_counter()
    if hooks is None and each_by_itself(job, data):
        in_turn = _by_turns(job, data, at_once=thread_count())
        epochs = in_stretches(partial(torch_threads, 1), in_turn)  # threads begin with the number
    else:
        epochs = _train(job, data, slice(None), hooks or NO_HOOKS)
    artefacts = yield from epochs
    yield Finished(artefacts, time.perf_counter() - began)


def each_by_itself(job: Job, data: Data) -> bool:
    """Tell whether there are cores to share, and networks large enough to. Lanes share blocks."""
    if job.engine == "lanes":
        return False
    batch = min(job.training.batch_size, len(data.train_targets))
    large = job.network.depth > 1 and job.network.width**2 * batch >= LARGE
    return large and len(job.seeds) > 1 and thread_count() > 1


def _train(job: Job, data: Data, places: slice, hooks: Hooks) -> Epochs:
    """Train the networks at these places of a job as one batch."""
    return train_with(
        ENGINES[job.engine],
        job.network,
        job.training,
        data,
        job.seeds[places],
        every=job.every,
        drawn_from=job.drawn_from[places],
        hooks=hooks,
    )


def _by_turns(job: Job, data: Data, at_once: int) -> Epochs:
    """Train one network a thread, as many at a time as there are cores, at an even pace."""
    turns, arrived = FairThreads(at_once), Arrived()
    each = [
        threading.Thread(target=_train_one, args=(job, data, place, turns, arrived), daemon=True)
        for place in range(len(job.seeds))
    ]
    try:
        for thread in each:
            thread.start()
        return (yield from _in_step(arrived, len(each)))
    finally:
        turns.stop()
        for thread in each:
            if thread.ident is not None:  # an interruption may leave some unstarted
                thread.join()


def _train_one(job: Job, data: Data, place: int, turns: FairThreads, arrived: Arrived) -> None:
    """Train one network, a turn after the other, in a thread of its own."""
    steps = count(1)

    def before_step() -> None:
        turns.check()
        if next(steps) % A_TURN == 0:
            turns.next()

    try:
        with turns:
            epochs = _train(job, data, slice(place, place + 1), Hooks(before_step))
            artefacts = hand_over(epochs, lambda chunk: arrived.put((place, chunk)))
        arrived.put((place, artefacts))
    except TurnsStopped:
        pass
    except BaseException as error:
        arrived.put((place, error))


def _in_step(arrived: Arrived, networks: int) -> Epochs:
    """Yield an epoch of all networks when the last of them is through with it."""
    chunks: list[deque[Chunk]] = [deque() for _ in range(networks)]
    artefacts: dict[int, Artefacts] = {}
    while len(artefacts) < networks:
        place, found = arrived.get()
        match found:
            case BaseException():
                raise found
            case Chunk():
                chunks[place].append(found)
            case _:
                artefacts[place] = found
        if all(chunks):
            yield join_chunks([waiting.popleft() for waiting in chunks])
    return join_artefacts([artefacts[place] for place in range(networks)])
