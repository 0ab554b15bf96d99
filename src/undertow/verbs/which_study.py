"""Which study a verb is asked about: to be trained, by its name or file; or of runs that are there.

This is the one place where the built-in experiments are looked up for runs of a store.
"""

from __future__ import annotations

import contextlib
import sys

from undertow.errors import SpecError
from undertow.studies.description import Description, Runs, describe, read_description
from undertow.studies.experiment import Experiment
from undertow.studies.own_experiment import check_experiment
from undertow.verbs import target

FORM = "an undertow.Experiment, or a function that returns one"


def find_experiment(name: str) -> Experiment:
    """Return a built-in experiment, or the user's own that FILE.py:NAME names.

    >>> find_experiment("moons").baseline
    'sigmoid'

    Raises
    ------
    UnknownName, SpecError
        No such experiment, or one that cannot be.
    """
    from undertow.experiments import experiment, names

    if name.endswith(".py"):
        raise SpecError(f"{name}: name the experiment in it, as in  undertow run {name}:EXPERIMENT")
    if not target.is_factory(name):
        return experiment(name)
    with contextlib.redirect_stdout(sys.stderr):
        found = target.named(name, FORM)
        if callable(found):
            found = target.call_factory(name, found)
    if found is None:
        place, _, wanted = name.rpartition(":")
        raise SpecError(f"{place} has no '{wanted}': name {FORM}")
    if not isinstance(found, Experiment):
        raise SpecError(f"{name} is {type(found).__name__}: it must be {FORM}")
    check_experiment(found)
    if found.name in names():
        raise SpecError(f"{name}: '{found.name}' is a built-in experiment: give yours another name")
    return found._replace(origin=name)


def known_study(name: str, runs: Runs) -> Description:
    """Return what is known of the study that runs {arm: (run, trace)} belong to.

    >>> known_study("moons", {}).baseline
    'sigmoid'

    Runs carry it. Those of older stores do not: they are runs of the built-in experiment of that
    name. Claims are judged by their code where it is built in, else as they were in training.

    Raises
    ------
    UnknownName
        The runs carry nothing, and no built-in experiment has the name.
    """
    from undertow.experiments import experiment, names

    carried = read_description(runs)
    if carried is None:
        return describe(experiment(name))
    if carried.origin or name not in names():
        return carried
    code = {(claim.number, claim.text): claim for claim in experiment(name).claims}
    claims = (code.get((claim.number, claim.text), claim) for claim in carried.claims)
    return carried._replace(claims=tuple(claims))
