"""How a value shows itself, without a word of who draws it.

A Trace is drawn by rooms that it knows nothing of. So it asks for its kind and a way: `html` and
`text` for people, `plot` for a chart, `report` for a page. The package says where those that draw
are registered from (`fill_with`), and that is imported when something first shows itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from undertow.errors import UndertowError

Way = Callable[..., Any]

_kinds: dict[str, dict[str, Way]] = {}
_fills: list[Callable[[], object]] = []


def fill_with(fill: Callable[[], object]) -> None:
    """Name what registers, called once something is shown of which nothing is known.

    >>> from importlib import import_module
    >>> fill_with(lambda: import_module("undertow.verbs.show_values"))  # as the package does
    >>> from undertow.trace.record import Header, Layer, build
    >>> layer = Layer("output", 1, "linear", "linear", 2, 1)
    >>> header = Header((layer,), (0,), {"source": "trained"})
    >>> show(build(header, []), "html")[:27]
    '<p><strong>Trace, trained: '
    """
    _fills[:] = [fill]


def register(kind: type, ways: Mapping[str, Way]) -> None:
    """Register how values of a type are shown: {way: function of the value}.

    >>> class Speed(float): ...
    >>> register(Speed, {"text": lambda speed: f"{speed:.0f} m/s"})
    >>> show(Speed(3), "text")
    '3 m/s'
    """
    _kinds.setdefault(kind.__name__, {}).update(ways)


def show(value: object, way: str, *arguments: object) -> Any:
    """Show a value in one of the ways of its kind.

    >>> class Speed(float): ...
    >>> register(Speed, {"text": lambda speed, unit: f"{speed:.0f} {unit}"})
    >>> show(Speed(3), "text", "m/s")
    '3 m/s'

    Raises
    ------
    UndertowError
        Nothing is registered for its kind, or not this way.
    """
    kind = type(value).__name__
    if kind not in _kinds:
        for fill in _fills:
            fill()
    known = _kinds.get(kind, {})
    if way not in known:
        ways = f"only {', '.join(known)}" if known else "nothing"
        raise UndertowError(
            f"no {way} of a {kind}: {ways} is registered for it; verbs/show_values.py registers"
        )
    return known[way](value, *arguments)
