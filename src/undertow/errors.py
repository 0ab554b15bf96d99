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
    """A network, training or argument that cannot be.

    >>> import undertow as ut
    >>> ut.NetworkSpec(inputs=2, outputs=1, depth=0, width=10, activation="tanh")
    Traceback (most recent call last):
    ...
    undertow.errors.SpecError: depth = 0: input should be greater than 0
    """


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
    """A data set that is missing, damaged or of the wrong shape.

    >>> from undertow.data.dataset import load
    >>> load("moons", folder="pictures")
    Traceback (most recent call last):
    ...
    undertow.errors.DataError: moons is made, not read from files: leave --data pictures out
    """


class StoreError(UndertowError):
    """A store that cannot be read or written.

    >>> import undertow as ut
    >>> for path in ("nowhere.db", "."):
    ...     try:
    ...         ut.open(path)
    ...     except StoreError as error:
    ...         print(f"{type(error).__name__}: {error}")
    StoreMissing: no store at nowhere.db: name one with --store, or make one with ...
    StoreForeign: . is a folder: name a file, for example undertow.db
    """


class StoreMissing(StoreError):
    """There is no file where a store was named.

    >>> import undertow as ut
    >>> ut.open("nowhere.db")
    Traceback (most recent call last):
    ...
    undertow.errors.StoreMissing: no store at nowhere.db: name one with --store, or make one ...
    """


class StoreForeign(StoreError):
    """A file, but not a store of Undertow's.

    >>> import undertow as ut
    >>> ut.open(__file__)
    Traceback (most recent call last):
    ...
    undertow.errors.StoreForeign: ...errors.py is not a store of Undertow's: name another file ...
    """


class StoreNewer(StoreError):
    """A store written by a newer Undertow than this one.

    >>> import sqlite3, tempfile, undertow as ut
    >>> from contextlib import closing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ut.open(f"{folder}/runs.db", create=True).close()
    ...     with closing(sqlite3.connect(f"{folder}/runs.db")) as file:
    ...         _ = file.execute("PRAGMA user_version = 2")  # as a later Undertow would write it
    ...     ut.open(f"{folder}/runs.db")
    Traceback (most recent call last):
    ...
    undertow.errors.StoreNewer: ...runs.db is a store of format 2, and this Undertow reads 1: ...
    """


class RunMissing(StoreError):
    """A store without the run asked for.

    >>> import tempfile, undertow as ut
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ut.open(f"{folder}/runs.db", create=True) as store:
    ...         store.run("my-net")
    Traceback (most recent call last):
    ...
    undertow.errors.RunMissing: run 'my-net' is not in the store ...: none. Type  undertow runs
    """


class TraceError(UndertowError):
    """Arrays that break the trace schema.

    >>> from undertow.trace.record import provenance
    >>> provenance("guessed")
    Traceback (most recent call last):
    ...
    undertow.errors.TraceError: source 'guessed': allowed are predicted, trained, watched.
    """


class NoCriticalPoint(UndertowError):
    """An activation without a critical initialisation at the bias variance asked for.

    >>> import undertow as ut
    >>> ut.critical("softplus")
    Traceback (most recent call last):
    ...
    undertow.errors.NoCriticalPoint: softplus has no critical initialisation: wherever ...
    """


class AddressError(UndertowError):
    """A host and port that pages cannot be served on.

    >>> try:  # as the command line catches it
    ...     raise AddressError("cannot serve on localhost:80: permission denied")
    ... except UndertowError as error:
    ...     print(f"undertow: {error}")
    undertow: cannot serve on localhost:80: permission denied
    """


class MissingExtra(UndertowError):
    """An optional dependency that is not installed."""


def needs(module: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say in one line what to install.

    >>> needs("json", "lab").__name__
    'json'
    >>> needs("no_package", "lab")
    Traceback (most recent call last):
    ...
    undertow.errors.MissingExtra: no_package is not installed: type  pip install 'undertow[lab]'
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
