"""Where a watched run goes beside the store: `undertow.watch(..., sinks=[...])`.

>>> import undertow as ut
>>> sorted(name for name in dir(ut.sinks) if not name.startswith("_"))
['EachStep', 'Memory', 'StoreFile']

A function of a step's number and its values does as well:

    with ut.watch(model, optimizer, sinks=[lambda step, values: print(step, values["loss"])]) as w:
        ...

A sink of your own is a class with the methods of `undertow.trace.sink.Sink`.
"""

from __future__ import annotations

from typing import Any

from undertow.errors import UnknownName
from undertow.trace.sinks import sinks as _sinks


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'undertow.sinks' has no attribute '{name}'")
    try:
        return _sinks()[name]
    except KeyError:
        raise AttributeError(str(UnknownName("sink", name, sorted(_sinks())))) from None


def __dir__() -> list[str]:
    return sorted(_sinks())
