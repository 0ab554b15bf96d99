"""The sinks, one file each: where a run goes while it is recorded. `Sink` says what they promise.

A file has a class, named `SINK`; that it is there is all it takes. Those with a library of their
own import it when they begin.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any


@cache
def sinks() -> dict[str, Any]:
    """Find every sink by the name of its class.

    >>> sorted(sinks())
    ['EachStep', 'Memory', 'StoreFile']
    """
    modules = (import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__))
    found = [module.SINK for module in modules]
    return {each.__name__: each for each in found}
