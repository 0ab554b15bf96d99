"""What a command is asked about: a run of a store, or a model that the user's file makes."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from undertow.errors import SpecError, UndertowError
from undertow.trace.record import Trace
from undertow.trace.store.reader import open as open_store

FORM = "a function that returns (model, loss_fn, (inputs, targets))"


class Model(NamedTuple):
    """What a factory made."""

    model: Any
    loss_fn: Callable[..., Any]
    batch: tuple[Any, Any]


def is_factory(target: str) -> bool:
    """Tell MODULE:FACTORY from the name of a run.

    >>> is_factory("my_net.py:make"), is_factory("moons-baseline-1")
    (True, False)
    """
    return ":" in target


def make_model(target: str) -> Model:
    """Call the factory that `MODULE:FACTORY` names.

    Raises
    ------
    SpecError
        The module or the function is not there, fails, or returns something else.
    """
    # What the user's file prints must not mix with a JSON document.
    with contextlib.redirect_stdout(sys.stderr):
        factory = named(target, FORM)
        if not callable(factory):
            place, _, name = target.rpartition(":")
            raise SpecError(f"{place} has no function '{name}': name {FORM}")
        found = call_factory(target, factory)
    if not isinstance(found, tuple | list) or len(found) != 3:
        what = f"{len(found)} values" if isinstance(found, tuple | list) else type(found).__name__
        raise SpecError(f"{target} returned {what}: it must be {FORM}")
    return Model(*found)


def named(target: str, form: str) -> Any:
    """Return what `MODULE:NAME` names, None where the module has no such name.

    Raises
    ------
    SpecError
        Not of that form, or a module that is not there or fails.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise SpecError(f"{target}: as in my_net.py:make, {form}")
    return getattr(_module(place), name, None)


def call_factory(target: str, factory: Callable[[], Any]) -> Any:
    """Call what the user's file defines; what goes wrong in it is one line."""
    try:
        return factory()
    except (Exception, SystemExit) as error:
        raise SpecError(f"{target} failed: {_error_words(error)}") from None


def read_run(target: str, store: str) -> Trace:
    """Read a run by its id, or the beginning of it."""
    with open_store(store) as opened:
        return opened.trace(target)


def call_user_code(name: str, call: Any) -> Any:
    """Call the user's model; what goes wrong in it is one line, what it prints is for people."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return call()
    except UndertowError:
        raise
    except (Exception, SystemExit) as error:
        lines = str(error).splitlines() or [""]
        raise SpecError(f"{name} failed on its batch: {type(error).__name__}: {lines[0]}") from None


def _module(place: str) -> Any:
    try:
        if place.endswith(".py"):
            return _from_file(Path(place))
        sys.path.insert(0, str(Path.cwd()))
        try:
            return importlib.import_module(place)
        finally:
            sys.path.remove(str(Path.cwd()))
    except SpecError:
        raise
    except ModuleNotFoundError as error:
        raise SpecError(
            f"no module '{error.name}': name a module that can be imported here, or a file, as in "
            "my_net.py:make"
        ) from None
    except (Exception, SystemExit) as error:  # which would end with the status of a verdict
        raise SpecError(f"{place} cannot be imported: {_error_words(error)}") from None


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise SpecError(f"there is no file {path}: name one, as in my_net.py:make")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses and pickles look there
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module


def _error_words(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": ")
