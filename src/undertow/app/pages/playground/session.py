"""What is under way on one page: a worker that trains, and what it has published last.

The worker is a plain thread. Who paints asks for the newest picture and misses those between, so
that training never waits for a drawing, and a drawing can be begun again at any time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from undertow.data.dataset import Data
from undertow.errors import UndertowError
from undertow.remedies.on_trial import apply_to_trial
from undertow.spec.toy import ToySpec
from undertow.spec.trial import Trial
from undertow.studies import trial as trials
from undertow.studies.trial import TrialStopped
from undertow.trace.record import Trace

SECONDS = 0.25  # between two pictures of a training, at least
DESERTED = 120.0  # seconds without a painter, after which a paused worker ends
AS_IT_IS = "as it is"


class Request(NamedTuple):
    """What a button asked for: `look`, `train`, `step` or `treat`; `number` tells two apart."""

    what: str = "look"
    remedy: str = ""
    number: int = 0


class Picture(NamedTuple):
    """What is to be seen: the arms so far, and how far they are; without arms, what is wrong."""

    version: int
    traces: dict[str, Trace]
    line: str


@dataclass
class Session:
    """State of a page that outlives a redraw.

    `turn` counts the workers: one whose turn is over ends. `asked` is the number of the request
    that was begun last, `trial` what it is about.
    """

    turn: int = 0
    asked: int = 0
    subject: tuple[object, ...] = ()
    trial: Trial | None = None
    trained: Trial | None = None  # of which the first arm of the picture is the whole training
    picture: Picture = field(default_factory=lambda: Picture(0, {}, ""))
    running: bool = False
    go: threading.Event = field(default_factory=threading.Event)
    single: bool = False
    seen_at: float = 0.0

    def publish(self, turn: int, traces: dict[str, Trace], line: str = "") -> None:
        """Make a picture the newest, unless it comes from a worker whose turn is over."""
        if turn == self.turn:
            self.picture = Picture(self.picture.version + 1, traces, line)

    @property
    def paused(self) -> bool:
        """Tell whether a worker waits."""
        return self.running and not self.go.is_set()

    def hold(self) -> None:
        """Pause before the next step."""
        self.go.clear()

    def release(self, *, single: bool = False) -> None:
        """Go on, for one epoch only where `single`."""
        self.single = single
        self.go.set()


def begin(
    session: Session, request: Request, trial: Trial, make: Callable[[ToySpec], Data]
) -> threading.Thread:
    """End what is under way, and begin a worker; `make` makes the data of a trial."""
    session.turn += 1
    session.trial, session.running, session.seen_at = trial, True, time.monotonic()
    session.release(single=request.what == "step")
    worker = threading.Thread(
        target=_work, args=(session, session.turn, request, trial, make), daemon=True
    )
    worker.start()
    return worker


def _work(
    session: Session, turn: int, request: Request, trial: Trial, make: Callable[[ToySpec], Data]
) -> None:
    try:
        data = make(trial.data)
        if request.what == "look":
            session.trained = None
            session.publish(turn, {AS_IT_IS: trials.first_step(trial, data)})
            return
        arms = dict(list(session.picture.traces.items())[:1])
        if request.what != "treat" or session.trained != trial:
            session.trained = None
            arms = {AS_IT_IS: _train(session, turn, {}, AS_IT_IS, trial, data)}
            session.trained = trial
        if request.what == "treat":
            arm = apply_to_trial(request.remedy, trial)
            session.release()
            arms[request.remedy] = _train(session, turn, arms, request.remedy, arm, make(arm.data))
        session.publish(turn, arms)
    except TrialStopped:
        pass
    except UndertowError as error:
        session.publish(turn, {}, str(error))
    finally:
        if turn == session.turn:
            session.running = False


def _train(
    session: Session, turn: int, others: dict[str, Trace], name: str, trial: Trial, data: Data
) -> Trace:
    """Train one arm beside those that are there already, and publish it now and then."""
    published = 0.0
    epochs = trial.training.epochs
    probe = trials.first_step(trial, data).artefacts

    def stop() -> bool:
        while not session.go.wait(0.05):
            if turn != session.turn or time.monotonic() - session.seen_at > DESERTED:
                return True
        return turn != session.turn

    def receive(epoch: int, picture: Callable[[], Trace]) -> None:
        nonlocal published
        if session.single:
            session.hold()
        paused, now = not session.go.is_set(), time.monotonic()
        if epoch < epochs and (paused or now - published > SECONDS):
            trace = picture()
            # What only the end of a training holds, its first step held already.
            whole = Trace(trace.dataset, trace.events, {**probe, **trace.artefacts})
            session.publish(turn, {**others, name: whole}, f"epoch {epoch} of {epochs}")
            published = now

    return trials.train_trial(trial, data, receive, stop=stop)
