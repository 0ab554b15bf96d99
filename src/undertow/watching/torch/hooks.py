"""Hooks that measure: timed, silent in compiled code and in copies, never the end of a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from time import perf_counter
from typing import Any

import torch

from undertow.watching.core.log import LOG

# What PyTorch takes to call one Python hook, beside what the hook does: an upper bound, so that
# the stated cost is not too low. docs/performance.md has the measurement.
DISPATCH_SECONDS = 1.5e-6

LONGEST = 120  # characters of an error that are told

functorch: Any = torch._C._functorch  # pyright: ignore
_is_tracing: Any = torch._C._is_tracing  # pyright: ignore
_interpreters = functorch.peek_interpreter_stack

_probing: ContextVar[bool] = ContextVar("probing", default=False)


def is_transformed() -> bool:
    """Tell whether what runs is being compiled, traced or vectorised, and not simply computed.

    A hook would become a part of the compiled code, and cannot look into a tensor of many.
    """
    return torch.compiler.is_compiling() or _is_tracing() or _interpreters() is not None


class Guard:
    """Runs what hooks do: counts its seconds, and takes its errors on itself.

    After an error it runs nothing more, and says so once: training goes on unwatched.
    """

    def __init__(self, *, of_probe: bool = False) -> None:
        self.seconds = 0.0
        self.failure: str | None = None
        self._of_probe = of_probe

    def run(self, function: Callable[..., Any], *values: Any) -> Any:
        """Call a function for a hook; after an error once, never again."""
        if self.failure or is_transformed() or (_probing.get() and not self._of_probe):
            return None
        begun = perf_counter()
        try:
            return function(*values)
        except Exception as error:
            self.fail(error)
        finally:
            self.seconds += perf_counter() - begun + DISPATCH_SECONDS
        return None

    def fail(self, error: Exception) -> None:
        """Stop measuring for good."""
        words = str(error).splitlines()
        said = words[0] if words else ""
        self.failure = f"{type(error).__name__}: {said[:LONGEST]}".rstrip(": ")
        LOG.warning("undertow: measuring has stopped, training goes on (%s)", self.failure)


class Hook:
    """A hook on a module, a parameter or an optimizer.

    In a copy of what carries it, or in a file, it is a callable that takes anything and does
    nothing, made of the standard library alone: a saved model opens where Undertow is missing.
    """

    __slots__ = ("function", "guard")

    def __init__(self, guard: Guard, function: Callable[..., Any]) -> None:
        self.guard, self.function = guard, function

    def __call__(self, *values: Any) -> None:
        self.guard.run(self.function, *values)

    def __reduce__(self) -> Any:
        return getattr, (nullcontext(), "__exit__")


@contextmanager
def without_watches() -> Iterator[None]:
    """Let no hook of a watch measure what a probe does inside."""
    token = _probing.set(True)
    try:
        yield
    finally:
        _probing.reset(token)
