"""The built-in experiments, one file each: a module here with an EXPERIMENT is one.

    moons              two moons, ten layers of ten units: sigmoid against ReLU
    circles            two circles, eleven layers
    mnist_depth        MNIST, 5 layers against 20
    fashion_remedies   Fashion-MNIST, seven sigmoid layers and what is said to cure them
    batch_norm_depth   fifty ReLU layers with and without batch normalisation and skips
    claims/            the published claims that they decide, one file each
    presets            ten trials for the playground, each with the half-truth it corrects

>>> sorted(names())[:2]
['batch-norm-depth', 'circles']
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from undertow.errors import UnknownName
from undertow.studies.experiment import Experiment

BESIDE = ("claims", "presets")  # in this room, and no experiments


def names() -> list[str]:
    """Names of the built-in experiments.

    >>> [name for name in names() if experiment(name).data == "moons"]
    ['moons']
    """
    found = [module.name for module in iter_modules(__path__) if module.name not in BESIDE]
    return [name.replace("_", "-") for name in found]


def experiment(name: str) -> Experiment:
    """Return an experiment by its name.

    >>> moons = experiment("moons")
    >>> moons.title, moons.baseline
    ('Two moons, 10 hidden layers of 10 units', 'sigmoid')
    >>> moons.arm("relu-sgd").note
    'ReLU with plain SGD, learning rate 0.1'
    """
    if name not in names():
        raise UnknownName("experiment", name, names())
    return import_module(f"{__name__}.{name.replace('-', '_')}").EXPERIMENT
