"""Hooks that measure: silent in compiled code and in copies, never the end of a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import torch

from undertow.watching.core.guard import Guard

# What PyTorch takes to call one Python hook, beside what the hook does: an upper bound, so that
# the stated cost is not too low. docs/performance.md has the measurement.
DISPATCH_SECONDS = 1.5e-6

functorch: Any = torch._C._functorch  # pyright: ignore
_is_tracing: Any = torch._C._is_tracing  # pyright: ignore
_interpreters = functorch.peek_interpreter_stack

_probing: ContextVar[bool] = ContextVar("probing", default=False)


def is_transformed() -> bool:
    """Tell whether what runs is being compiled, traced or vectorised, and not simply computed.

    A hook would become a part of the compiled code, and cannot look into a tensor of many.
    """
    return torch.compiler.is_compiling() or _is_tracing() or _interpreters() is not None


def silence() -> bool:
    """Tell whether a watch's hooks may not measure now."""
    return is_transformed() or _probing.get()


def guard(*, of_probe: bool = False) -> Guard:
    """Return what runs the hooks of a watch; a probe's measure while other hooks are silent.

    >>> guard().run(abs, -1)
    1
    """
    return Guard(is_transformed if of_probe else silence, DISPATCH_SECONDS)


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
