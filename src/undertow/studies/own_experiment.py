"""An experiment of the user's own: refused in one line where it cannot be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from undertow.data.dataset import Data
from undertow.errors import SpecError
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.studies.experiment import Arm, Claim, Experiment

NAME = re.compile(r"[A-Za-z0-9][\w.-]*")  # what can be typed, and stand in the id of a run


def check_experiment(experiment: Experiment) -> None:
    """Refuse an experiment that is not whole.

    >>> check_experiment(Experiment("depth", "How deep?", "moons", (), "shallow", ()))
    Traceback (most recent call last):
    ...
    undertow.errors.SpecError: depth: no arms; give at least one, as in arms=(Arm("shallow", ...

    Raises
    ------
    SpecError
        In one line: which part, what it is, what it has to be.
    """
    name = experiment.name
    _check_name("experiment", name)
    for part in ("title", "data", "baseline"):
        _check_type(f"{name}: {part}", getattr(experiment, part), str)
    arms = _all_of(f"{name}: arms", experiment.arms, Arm)
    if not arms:
        raise SpecError(
            f'{name}: no arms; give at least one, as in arms=(Arm("shallow", network, training, '
            '"2 hidden layers"),)'
        )
    for arm in arms:
        _check_name(f"{name}: arm", arm.name)
        _check_type(f"{name}: network of arm {arm.name}", arm.network, NetworkSpec)
        _check_type(f"{name}: training of arm {arm.name}", arm.training, TrainingSpec)
        _check_type(f"{name}: note of arm {arm.name}", arm.note, str)
    names = [arm.name for arm in arms]
    if twice := sorted({each for each in names if names.count(each) > 1}):
        raise SpecError(f"{name}: two arms are called {twice[0]}; give each a name of its own")
    if experiment.baseline not in names:
        raise SpecError(f"{name}: baseline '{experiment.baseline}': one of {', '.join(names)}")
    for claim in _all_of(f"{name}: claims", experiment.claims, Claim):
        _check_claim(name, claim, names)


def check_fit(experiment: Experiment, data: Data) -> None:
    """Refuse arms whose networks do not fit the data.

    >>> from undertow.data.dataset import load
    >>> spec = NetworkSpec(inputs=3, outputs=1, depth=2, width=10, activation="tanh")
    >>> arm = Arm("deep", spec, TrainingSpec(), "2 hidden layers")
    >>> check_fit(Experiment("depth", "How deep?", "moons", (arm,), "deep", ()), load("moons"))
    Traceback (most recent call last):
    ...
    undertow.errors.SpecError: depth: arm deep: inputs = 3: moons has 2

    Raises
    ------
    SpecError
        Other inputs than the data have, or outputs that the loss cannot take for so many classes.
    """
    features, classes = data.train_inputs.shape[1], data.classes
    for arm in experiment.arms:
        where, network = f"{experiment.name}: arm {arm.name}", arm.network
        if network.inputs != features:
            raise SpecError(f"{where}: inputs = {network.inputs}: {data.name} has {features}")
        is_binary = arm.training.loss == "binary_cross_entropy"
        if is_binary and classes > 2:
            raise SpecError(
                f"{where}: loss = {arm.training.loss}: {data.name} has {classes} classes; type  "
                'loss="cross_entropy"'
            )
        outputs = 1 if is_binary else classes
        if network.outputs != outputs:
            raise SpecError(
                f"{where}: outputs = {network.outputs}: {arm.training.loss} of {classes} classes "
                f"takes {outputs}"
            )


def _check_claim(name: str, claim: Claim, arms: Sequence[str]) -> None:
    where = f"{name}: claim {claim.number}"
    _check_type(f"{where}: number", claim.number, int)
    _check_type(f"{where}: text", claim.text, str)
    for need in _all_of(f"{where}: needs", claim.needs, str):
        if need not in arms:
            raise SpecError(f"{where} needs the arm '{need}': one of {', '.join(arms)}")
    if not callable(claim.judge):
        raise SpecError(f"{where}: judge has to be a function from the arms' traces to a verdict")


def _check_name(what: str, name: Any) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise SpecError(
            f"{what} {name!r}: a name of letters, digits, '-', '_' and '.', as in my-depth-study"
        )


def _check_type(what: str, value: Any, wanted: type) -> None:
    if not isinstance(value, wanted):
        raise SpecError(f"{what} is {type(value).__name__}: it has to be {wanted.__name__}")


def _all_of(what: str, values: Any, wanted: type) -> Sequence[Any]:
    if not isinstance(values, tuple | list):
        raise SpecError(f"{what}: a tuple, not {type(values).__name__}")
    for value in values:
        _check_type(f"{what}: one", value, wanted)
    return values
