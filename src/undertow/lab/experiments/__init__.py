"""The experiments, one file each: a module here with an EXPERIMENT is one.

>>> sorted(names())[:2]
['batch-norm-depth', 'circles']
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from undertow.errors import UnknownName
from undertow.lab.experiment import Experiment


def names() -> list[str]:
    """Names of the built-in experiments."""
    return [module.name.replace("_", "-") for module in iter_modules(__path__)]


def experiment(name: str) -> Experiment:
    """Return an experiment by its name."""
    if name not in names():
        raise UnknownName("experiment", name, names())
    return import_module(f"{__name__}.{name.replace('-', '_')}").EXPERIMENT
