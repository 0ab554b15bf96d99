"""The watch itself: counts steps, decides which are recorded, and hands on what was measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any
from weakref import WeakSet

from torch import nn, optim

from undertow.errors import SpecError
from undertow.trace.record import Event, Trace
from undertow.watching import words
from undertow.watching.alarms import Alarms
from undertow.watching.amp import Scale
from undertow.watching.budget import Schedule
from undertow.watching.header import header
from undertow.watching.hooks import LOG, Guard, Hook
from undertow.watching.instruments import NOBODY, Instruments
from undertow.watching.losses import Logged
from undertow.watching.recorder import Recorder, Row

_watched: WeakSet[optim.Optimizer] = WeakSet()


class Watch:
    """A model being watched; made by `undertow.watch`, to be used in a `with`.

    A recorded step's row is handed on when the next step ends, for its loss may be logged until
    then.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[optim.Optimizer],
        store: str | Path | None,
        name: str | None,
        schedule: Schedule,
        *,
        whole: bool,
        scaler: Any,
    ) -> None:
        self._guard, self._scale, self._alarms = Guard(), Scale(scaler), Alarms()
        self._model, self._optimizers, self._schedule = model, optimizers, schedule
        self._whole = whole
        self._instruments = Instruments(
            model,
            optimizers,
            self._guard,
            whole=whole,
            scale=self._scale.now,
            began=self._pass_ended,
        )
        _check_owners(model, optimizers, self._instruments.owner)
        self._logged = Logged()
        shares = self._instruments.shares
        self._shared = shares is not None
        self._unseen: dict[str, str] | None = None
        self._step, self._word, self._force = 1, 1, False
        self._stepped: set[int] = set()
        self._row: Row | None = None
        self._closed = False
        self._recorder = Recorder(
            self._header(),
            store if shares is None or shares.is_first else None,
            name or _stem(model),
            new=name is not None,
        )
        self._handles: list[Any] = []
        for number, optimizer in enumerate(optimizers):
            before = Hook(self._guard, partial(self._before_update, number))
            after = Hook(self._guard, partial(self._after_update, number))
            self._handles.append(optimizer.register_step_pre_hook(before))
            self._handles.append(optimizer.register_step_post_hook(after))
            _watched.add(optimizer)
        self._opened, self._counted = perf_counter(), 0.0
        self._open_step()

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._end(kind)

    def log(self, **values: Any) -> None:
        """Log the loss of a step, and if you like `accuracy` and `epoch`: numbers or tensors.

        Before or after the optimizer's step.
        """
        passed = self._instruments.passes > 0 if self._recording else None
        known, of_last = self._logged.log(values, passed=passed)
        if self._alarms.logged(self._step - of_last, known) and not self._shared:
            self._force = True
            if of_last and not self._recording:  # the step has only just begun
                self._open_step()

    def step(self, loss: Any = None) -> None:
        """End a step, after its backward pass; only for a loop without an optimizer to watch."""
        if self._optimizers:
            raise SpecError(
                "w.step is for a loop without an optimizer to watch; here steps are counted by "
                "themselves: type  w.log(loss=loss)"
            )
        if loss is not None:
            self.log(loss=loss)
        self._guard.run(self._step_alone)

    def close(self) -> None:
        """Take every hook off and finish the run; leaving the `with` does the same."""
        self._end(None)

    def trace(self) -> Trace:
        """Return what is recorded so far.

        Raises
        ------
        SpecError
            No step was recorded; the message says why.
        """
        if not self._recorder.count and not self._row:
            raise SpecError(f"no step is recorded: {self._why_empty()}")
        if not self._closed:
            self._recorder.header = self._header()
        last = (
            [self._with_log(self._row, self._logged.read(self._logged.last))] if self._row else []
        )
        return self._recorder.trace(last)

    def summary(self) -> str:
        """Say in a few lines what was recorded, at what cost, and what could not be seen.

        The cost is what measuring took as a share of what training takes without it.
        """
        schedule, recorder = self._schedule, self._recorder
        lines = [
            f"{type(self._model).__name__}: {schedule.steps} steps, {schedule.recorded} recorded, "
            f"every {schedule.interval():,} now",
            words.cost_line(schedule.share, schedule.budget, schedule.every),
        ]
        if recorder.path is not None:
            size = f"{recorder.bytes / 1e6:.2f} MB of at most {schedule.limit / 1e6:.0f}"
            lines.append(f"run {recorder.run} in {recorder.path}, {size}")
        if self._unseen:
            lines.append(words.unseen_line(self._unseen, len(self._instruments.modules)))
        if self._guard.failure:
            lines.append(f"measuring has stopped: {self._guard.failure}")
        if not schedule.steps:
            lines.append(self._why_empty())
        return "\n".join(lines)

    # What the hooks do.

    def _before_update(self, number: int, *_: Any) -> None:
        if number in self._stepped:  # the others sit this step out
            self._close_step()
        if self._scale.used and not self._recording:
            self._count_skipped()
        if not self._recording:
            return
        factor = self._instruments.before_update(number)
        if factor is not None and factor < 1 - 1e-6:
            self._note("clipped", f"all gradients multiplied by {factor:.4g}")

    def _after_update(self, number: int, *_: Any) -> None:
        self._stepped.add(number)
        if len(self._stepped) == len(self._optimizers):
            self._close_step()

    def _step_alone(self) -> None:
        if self._row:  # the change since the last call is that step's
            self._row.values.update(self._instruments.changes())
        if self._recording:
            self._instruments.before_update(NOBODY)
        self._close_step()

    def _pass_ended(self) -> bool:
        """Look, at the end of a backward pass, whether an update was left out before it."""
        if self._scale.skipped():
            if self._instruments.passes and not self._stepped:
                self._note("skipped", SKIPPED)
                self._schedule.alarm(self._step, severe=False)
                self._close_step(skipped=True)
            else:  # an optimizer that is told of the scale was asked, and did nothing
                self._note("skipped", SKIPPED, self._step - 1)
        return self._recording

    def _count_skipped(self) -> None:
        """Count the updates left out while no step was recorded: no hook has seen them."""
        for _ in range(self._scale.skipped()):
            self._note("skipped", SKIPPED)
            self._schedule.alarm(self._step, severe=False)
            self._step += 1

    # Steps.

    def _open_step(self) -> None:
        self._recording = self._force or self._step >= self._word
        self._stepped.clear()
        if not self._recording:
            self._instruments.detach()
            return
        # The first recorded step shows in which order the layers are called.
        self._full = self._whole or self._force or not self._instruments.rows
        self._instruments.begin_step()
        self._instruments.attach(calls=self._full, whole=self._whole or self._force)

    def _close_step(self, *, skipped: bool = False) -> None:
        begun, step = perf_counter(), self._step
        row = self._measured(skipped=skipped) if self._recording else None
        logged = self._logged.close()
        if self._row:
            self._recorder.put(self._with_log(self._row, logged))
        self._row = row
        seconds, own = self._took(begun)
        self._schedule.took(
            step,
            seconds=seconds,
            own=own,
            recorded=row is not None,
            size=self._recorder.bytes + (row.size if row else 0),
        )
        if row:
            row.values["overhead"] = own / max(seconds - own, 1e-9)
        if not self._shared:
            self._word = self._schedule.next(step)
        self._step += 1
        self._open_step()

    def _measured(self, *, skipped: bool) -> Row:
        instruments, step = self._instruments, self._step
        self._force = False
        if not instruments.rows:
            instruments.learn_layers()
            self._recorder.relabel(self._header())
        if self._optimizers:
            instruments.update()
        word = 0.0 if skipped else float(self._schedule.next(step, last=step))
        values = instruments.values(word, together=not skipped)
        if self._shared and not skipped:
            self._word = int(values.pop("word"))
        if self._optimizers:
            values["learning_rate"] = float(self._optimizers[0].param_groups[0]["lr"])
        self._look(step)
        if self._unseen is None and instruments.passes:
            self._unseen = instruments.unseen()
            if self._unseen:
                LOG.warning(words.unseen_line(self._unseen, len(instruments.modules)))
        return Row(step, self._logged.epoch, values)

    def _look(self, step: int) -> None:
        loss = self._logged.read(self._logged.current).get("loss")
        look = self._alarms.look(
            step,
            self._instruments.origin(loss),
            self._instruments.total_norm(),
            full=self._full,
            scaled=self._scale.used,
        )
        for event in look.events:
            self._recorder.note(event)
        self._force = look.full and not self._shared
        if look.dense:
            self._schedule.alarm(step, severe=look.severe)

    def _took(self, begun: float) -> tuple[float, float]:
        """Return the seconds of the step that ends now, and those of them that were ours."""
        now = perf_counter()
        counted = self._guard.seconds + self._recorder.seconds + now - begun
        seconds, own = now - self._opened, counted - self._counted
        self._opened, self._counted = now, counted
        return seconds, own

    def _end(self, error: type[BaseException] | None) -> None:
        if self._closed:
            return
        self._closed = True
        self._instruments.detach()
        for handle in self._handles:
            handle.remove()
        for optimizer in self._optimizers:
            _watched.discard(optimizer)
        if self._row:
            if not self._optimizers:
                self._row.values.update(self._instruments.changes())
            self._recorder.put(self._with_log(self._row, self._logged.read(self._logged.last)))
            self._row = None
        for event in self._alarms.last_words():
            self._recorder.note(event)
        if error is not None:
            self._note("interrupted", f"by {error.__name__}", self._schedule.steps)
        elif not self._schedule.steps:
            LOG.warning("undertow: nothing was watched: %s", self._why_empty())
        self._recorder.finish("finished" if error is None else "interrupted", self._header())

    def _note(self, kind: str, detail: str, step: int | None = None) -> None:
        self._recorder.note(Event(kind, self._step if step is None else step, None, 0, detail))

    def _with_log(self, row: Row, logged: dict[str, float]) -> Row:
        return row._replace(values=row.values | logged)

    def _header(self) -> Any:
        return header(
            self._instruments, self._optimizers, self._schedule, self._scale, self._unseen
        )

    def _why_empty(self) -> str:
        if self._guard.failure:
            return f"measuring has stopped ({self._guard.failure})"
        if self._optimizers:
            return "optimizer.step() was never called while it was watched"
        return "w.step(loss) was never called; call it after each backward pass"


SKIPPED = "an update was left out: a scaled gradient was not finite"


def _check_owners(
    model: nn.Module, optimizers: Sequence[optim.Optimizer], owner: Sequence[int]
) -> None:
    for number, optimizer in enumerate(optimizers):
        which = type(optimizer).__name__ + (f" number {number + 1}" if len(optimizers) > 1 else "")
        if optimizer in _watched:
            raise SpecError(
                f"{which} is watched already: close the other watch first (leave its `with`)"
            )
        if number not in owner:
            raise SpecError(
                f"{which} holds no weight of this {type(model).__name__}: give the optimizer that "
                "trains it, made after the model was wrapped or moved"
            )


def _stem(model: nn.Module) -> str:
    return re.sub(r"[^a-z0-9]+", "-", type(model).__name__.lower()).strip("-") or "model"
