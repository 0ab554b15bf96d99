"""How a task is trained: its networks as one batch, or large ones each by itself, a thread a core.

A batch of networks shares the cost of every call, which is most of what a small network costs. A
large one fills its calls alone: trained by itself, its numbers stay in the cache, and three divide
among two cores, which three products do not (docs/performance.md).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np

from undertow.data.dataset import Data
from undertow.engine import choice
from undertow.engine.common.memory import keep_freed_memory
from undertow.engine.common.threads import thread_count, torch_threads
from undertow.executors.fair_threads import FairThreads, TurnsStopped
from undertow.executors.jobs import Job, Shard, side_by_side
from undertow.trace.record import Chunk

LARGE = 1 << 21  # multiplications of a hidden layer and batch; below, threads wait for a lock
A_TURN = 32  # steps; a network that takes its turn finds the cache full of another's numbers


def train_job(task: Job, data: Data, receive: Callable[[Chunk | Shard], None]) -> None:
    """Train a task on the threads PyTorch has; hand over a chunk an epoch, at the end the shard.

    >>> from undertow.data.dataset import load
    >>> from undertow.executors.jobs import Part
    >>> from undertow.spec.network import NetworkSpec
    >>> from undertow.spec.training import TrainingSpec
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> task, results = Job((Part(0, 0, spec, (0, 1)),), TrainingSpec(epochs=2)), []
    >>> train_job(task, load("moons"), results.append)
    >>> [type(result).__name__ for result in results]
    ['Chunk', 'Chunk', 'Shard']
    """
    keep_freed_memory()
    began = time.perf_counter()
    if each_by_itself(task, data):
        artefacts = _by_turns(task, data, receive)
    else:
        artefacts = choice.train(
            task.network,
            task.training,
            data,
            task.seeds,
            receive,
            every=task.every,
            drawn_from=task.drawn_from,
            engine=task.engine,
        )
    receive(Shard(artefacts, time.perf_counter() - began))


def each_by_itself(task: Job, data: Data) -> bool:
    """Tell whether there are cores to share, and networks large enough to. Lanes share blocks."""
    if choice.choose_engine(task.network, len(task.seeds), task.engine) == "lanes":
        return False
    batch = min(task.training.batch_size, len(data.train_targets))
    large = task.network.depth > 1 and task.network.width**2 * batch >= LARGE
    return large and len(task.seeds) > 1 and thread_count() > 1


def _by_turns(task: Job, data: Data, receive: Callable[[Chunk], None]) -> dict[str, np.ndarray]:
    """Train one network a thread, as many at a time as there are cores, at an even pace."""
    turns, arrived = FairThreads(thread_count()), SimpleQueue()

    def train_one(place: int) -> None:
        steps = 0

        def before_step() -> None:
            nonlocal steps
            turns.check()
            steps += 1
            if steps % A_TURN == 0:
                turns.next()

        try:
            with turns:
                artefacts = choice.train(
                    task.network,
                    task.training,
                    data,
                    task.seeds[place : place + 1],
                    lambda chunk: arrived.put((place, chunk)),
                    every=task.every,
                    drawn_from=task.drawn_from[place : place + 1],
                    engine="torch",
                    before_step=before_step,
                )
            arrived.put((place, Shard(artefacts, 0.0)))
        except TurnsStopped:
            pass
        except BaseException as error:
            arrived.put((place, error))

    networks = range(len(task.seeds))
    each = [threading.Thread(target=train_one, args=(place,), daemon=True) for place in networks]
    results: list[deque[Chunk | Shard]] = [deque() for _ in networks]
    with torch_threads(1):  # each; threads that start take the number over
        try:
            for thread in each:
                thread.start()
            while True:
                place, result = arrived.get()
                if isinstance(result, BaseException):
                    raise result
                results[place].append(result)
                if all(results):
                    whole = side_by_side([waiting.popleft() for waiting in results])
                    if isinstance(whole, Shard):
                        return whole.artefacts
                    receive(whole)
        finally:
            turns.stop()
            for thread in each:
                if thread.ident is not None:  # an interruption may leave some unstarted
                    thread.join()
