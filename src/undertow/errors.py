"""Every error that Undertow raises on purpose, one tree.

    UndertowError
    ├── SpecError             a network, training or argument that cannot be
    │   └── UnknownName       a name that is not in the list it was looked up in
    ├── DataError             a data set that is missing, damaged or of the wrong shape
    ├── StoreError            a store that cannot be read or written
    │   ├── StoreMissing      no file there
    │   ├── StoreForeign      a file, but not a store
    │   ├── StoreNewer        a store written by a newer Undertow
    │   └── RunMissing        a store without the run asked for
    ├── TraceError            arrays that break the trace schema
    ├── NoCriticalPoint       an activation without a critical initialisation
    ├── AddressError          a host and port that pages cannot be served on
    └── MissingExtra          an optional dependency that is not installed

A message is one line: what came, what is allowed, what to type next.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from types import ModuleType


class UndertowError(Exception):
    """Base of all errors that Undertow raises on purpose.

    >>> import undertow as ut
    >>> try:
    ...     ut.open("nowhere.db")
    ... except ut.UndertowError as error:
    ...     print(type(error).__name__)
    StoreMissing
    """


class SpecError(UndertowError):
    """A network, training or argument that cannot be."""


class UnknownName(SpecError):
    """A name that is not in the list it was looked up in; the nearest one is offered.

    >>> str(UnknownName("activation", "sigmod", ["sigmoid", "tanh"]))
    "unknown activation 'sigmod': did you mean 'sigmoid'? Allowed: sigmoid, tanh."
    """

    def __init__(self, kind: str, name: str, allowed: Iterable[str]):
        allowed = list(allowed)
        near = get_close_matches(name, allowed, n=1, cutoff=0.5)
        hint = f" did you mean '{near[0]}'?" if near else ""
        super().__init__(f"unknown {kind} '{name}':{hint} Allowed: {', '.join(allowed)}.")


class DataError(UndertowError):
    """A data set that is missing, damaged or of the wrong shape."""


class StoreError(UndertowError):
    """A store that cannot be read or written."""


class StoreMissing(StoreError):
    """No file there."""


class StoreForeign(StoreError):
    """A file, but not a store of Undertow's."""


class StoreNewer(StoreError):
    """A store written by a newer Undertow than this one."""


class RunMissing(StoreError):
    """A store without the run asked for."""


class TraceError(UndertowError):
    """Arrays that break the trace schema."""


class NoCriticalPoint(UndertowError):
    """An activation without a critical initialisation at the bias variance asked for."""


class AddressError(UndertowError):
    """A host and port that pages cannot be served on."""


class MissingExtra(UndertowError):
    """An optional dependency that is not installed."""


def needs(module: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say in one line what to install.

    >>> needs("json", "lab").__name__
    'json'
    """
    from importlib import import_module

    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise MissingExtra(
            f"{module} is not installed: type  pip install 'undertow[{extra}]'"
        ) from None
