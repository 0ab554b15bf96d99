"""What takes a run while it is recorded: memory, a store, a tracker of experiments.

A sink is one file in `trace/sinks/`, discovered; `undertow.watch(..., sinks=[...])` takes any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from undertow.errors import SpecError
from undertow.trace.record import Chunk, Event, Header


class Sink(Protocol):
    """What a recorder owes a sink, and a sink its recorder.

    >>> from undertow.trace.record import Header, provenance
    >>> from undertow.trace.sinks.memory import Memory
    >>> sink = Memory()
    >>> sink.begin(Header((), (0,), provenance("watched")))
    >>> sink.event(Event("clipped", 3, None, 0, "their norm was multiplied by 0.5"))
    >>> sink.finish("finished")
    >>> [event.kind for event in sink.events()]
    ['clipped']

    The recorder promises

    - `begin` once and first, `finish` once and last, and nothing after that;
    - chunks whose steps go up, each step once, events in the order in which they were noted;
    - one call at a time, but not always from the thread that trains;
    - an array with dim `layer` as long as the layers of the last header: the one that comes by
      `relabel` before the first chunk, for which layers there are shows at the first step.

    The sink promises not to change what it is handed, and not to wait for the training. An
    exception is one line of warning and the end of that sink: training goes on, and so do the
    others.
    """

    def begin(self, header: Header) -> None:
        """Open the run."""

    def relabel(self, header: Header) -> None:
        """Replace what is known of the run: before its first chunk, and before its end."""

    def rows(self, chunk: Chunk) -> None:
        """Take the next recorded steps."""

    def event(self, event: Event) -> None:
        """Take what happened at a step."""

    def finish(self, state: str) -> None:
        """Close the run, as `finished` or `interrupted`."""


class Keeper(Sink, Protocol):
    """A sink from which the run can be read back: memory, or a store.

    >>> from undertow.trace.sinks.memory import Memory
    >>> keeper: Keeper = Memory()
    >>> keeper.size, keeper.chunks(), keeper.events()
    (0, [], ())

    It is never dropped: of what `rows` raises at, the recorder keeps as much as it has room for,
    and offers it again.
    """

    @property
    def size(self) -> int:
        """Bytes that the run takes so far."""
        ...

    def chunks(self) -> list[Chunk]:
        """Return the steps taken so far."""
        ...

    def events(self) -> tuple[Event, ...]:
        """Return the events taken so far."""
        ...


METHODS = ("begin", "relabel", "rows", "event", "finish")


def as_sinks(given: Any, of_function: Callable[[Any], Sink]) -> list[Sink]:
    """Return sinks as they are, and a plain function as what `of_function` makes of it.

    >>> from undertow.trace.sinks.each_step import EachStep
    >>> [type(sink).__name__ for sink in as_sinks([print], EachStep)]
    ['EachStep']

    Raises
    ------
    SpecError
        Something that is neither.
    """
    if not isinstance(given, list | tuple):
        raise SpecError(f"sinks = {given!r}: a list, for example sinks=[print]")
    found: list[Sink] = []
    for sink in cast(Sequence[Any], given):
        lacking = [name for name in METHODS if not callable(getattr(sink, name, None))]
        if lacking and not callable(sink):
            raise SpecError(
                f"a sink of type {type(sink).__name__} has no {', '.join(lacking)}: give a "
                "function of (step, values), or an object with the methods of "
                "undertow.trace.sink.Sink"
            )
        if isinstance(sink, type):
            raise SpecError(f"sinks = [{sink.__name__}]: a class; make one, {sink.__name__}(...)")
        found.append(of_function(sink) if lacking else cast(Sink, sink))
    return found
