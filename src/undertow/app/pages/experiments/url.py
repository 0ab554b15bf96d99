"""What study is wanted: as an address, as a command, and planned against its data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from shlex import join
from typing import NamedTuple

from undertow.app.pages.kit.request import Given
from undertow.data.dataset import Data, load
from undertow.data.idx import CHECKSUMS
from undertow.errors import SpecError
from undertow.experiments import experiment
from undertow.studies import study
from undertow.studies.experiment import Experiment

WORDS = ("study", "replicates", "epochs", "seed")


class Wanted(NamedTuple):
    """A study as the controls spell it; None stands for what the study itself says."""

    study: str = "moons"
    replicates: int | None = None
    epochs: int | None = None
    seed: int = 0


class PlannedStudy(NamedTuple):
    """A study ready to be trained: its runs to be, and the steps of one network of each."""

    experiment: Experiment
    runs: list[study.Planned]
    steps: list[int]


def read(spoken: Mapping[str, str]) -> Wanted:
    """Return the study of an address.

    >>> read({"study": "circles", "replicates": "5"})
    Wanted(study='circles', replicates=5, epochs=None, seed=0)

    Raises
    ------
    SpecError
        A number that is none, or a study that is not there.
    """
    numbers: dict[str, int] = {}
    for word in WORDS[1:]:
        if word in spoken:
            if not spoken[word].isdigit() or len(spoken[word]) > 9:
                raise SpecError(f"{word}={spoken[word][:60]} in the address: a whole number")
            numbers[word] = int(spoken[word])
    name = spoken.get("study", Wanted().study)
    experiment(name)  # refuses what is not there
    return Wanted(name, **numbers)


def words(wanted: Wanted) -> dict[str, str]:
    """Return the words of an address that spell a study.

    >>> words(Wanted("moons", epochs=5))
    {'study': 'moons', 'epochs': '5'}
    """
    found = {"study": wanted.study}
    for word in WORDS[1:]:
        value = getattr(wanted, word)
        if value not in (None, 0):
            found[word] = str(value)
    return found


def command(wanted: Wanted, given: Given) -> list[str]:
    """Return the words of the command that trains a study.

    >>> command(Wanted("moons", replicates=5), Given("runs.db"))
    ['run', 'moons', '--replicates', '5', '--store', 'runs.db']
    """
    found = ["run", wanted.study]
    for word in WORDS[1:]:
        value = getattr(wanted, word)
        if value is not None and (word != "seed" or value):
            found += [f"--{word}", str(value)]
    folder = _folder(experiment(wanted.study), given)
    return found + (["--data", folder] if folder else []) + ["--store", given.store]


def written(wanted: Wanted, given: Given) -> str:
    """Return the command as it is typed."""
    return join(["undertow", *command(wanted, given)])


@lru_cache(maxsize=16)
def plan(wanted: Wanted, given: Given) -> PlannedStudy:
    """Load the data and plan the runs.

    Raises
    ------
    SpecError, DataError
        As `study.plan` and `data.load`.
    """
    found = experiment(wanted.study)
    data = _data(found.data, _folder(found, given)).first(found.train_samples)
    runs = study.plan(
        found, data, replicates=wanted.replicates, epochs=wanted.epochs, seed=wanted.seed
    )
    return PlannedStudy(found, runs, [run.task(0, *run.shards[0]).steps(data) for run in runs])


@lru_cache(maxsize=2)
def _data(name: str, folder: str | None) -> Data:
    return load(name, folder)


def _folder(found: Experiment, given: Given) -> str | None:
    """Return the folder of data sets for those that are read from files; the rest refuse one."""
    return given.data if found.data in CHECKSUMS else None
