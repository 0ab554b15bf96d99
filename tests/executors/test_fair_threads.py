"""So many threads at a time, each in its turn."""

from __future__ import annotations

import threading

import pytest

from undertow.executors.fair_threads import FairThreads, TurnsStopped

THREADS, ROUNDS = 5, 40


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_no_more_than_so_many_run_at_a_time(at_once: int):
    turns, lock = FairThreads(at_once), threading.Lock()
    running, most = 0, 0
    done = [0] * THREADS
    every_thread = threading.Barrier(THREADS)

    def work(place: int) -> None:
        nonlocal running, most
        every_thread.wait()
        with turns:
            for _ in range(ROUNDS):
                with lock:
                    running += 1
                    most = max(most, running)
                done[place] += 1
                with lock:
                    running -= 1
                turns.next()

    threads = [threading.Thread(target=work, args=(place,)) for place in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [ROUNDS] * THREADS
    assert most <= at_once


def test_turns_come_in_the_order_in_which_they_were_asked_for():
    turns, order = FairThreads(1), []

    def work(place: int) -> None:
        with turns:
            order.append(place)
            turns.next()
            order.append(place)

    turns.__enter__()
    threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
    for waiting, thread in enumerate(threads, start=1):
        thread.start()
        while turns.waiting < waiting:
            pass
    turns.__exit__(None, None, None)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 0, 1, 2]


def test_a_stop_ends_those_that_wait_and_those_that_ask():
    turns, ended = FairThreads(1), []

    def work() -> None:
        try:
            with turns:
                raise AssertionError("its turn never comes")
        except TurnsStopped:
            ended.append(True)

    turns.__enter__()
    thread = threading.Thread(target=work)
    thread.start()
    while not turns.waiting:
        pass
    turns.stop()
    thread.join()
    assert ended == [True]
    with pytest.raises(TurnsStopped):
        turns.check()
    with pytest.raises(TurnsStopped):  # and not a place in a queue that nobody serves
        turns.next()
    with pytest.raises(TurnsStopped), turns:
        pass
