"""The study that a page is asked for: as an address, as a command, planned against its data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from shlex import join
from typing import NamedTuple

from undertow.app.pages.kit.request import PageContext
from undertow.data.dataset import Data, load
from undertow.data.idx import CHECKSUMS
from undertow.errors import SpecError
from undertow.experiments import experiment
from undertow.studies import study
from undertow.studies.experiment import Experiment

WORDS = ("study", "replicates", "epochs", "seed")


class StudyRequest(NamedTuple):
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


def read_url(spoken: Mapping[str, str]) -> StudyRequest:
    """Return the study of an address.

    >>> read_url({"study": "circles", "replicates": "5"})
    StudyRequest(study='circles', replicates=5, epochs=None, seed=0)

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
    name = spoken.get("study", StudyRequest().study)
    experiment(name)  # refuses what is not there
    return StudyRequest(name, **numbers)


def words(request: StudyRequest) -> dict[str, str]:
    """Return the words of an address that spell a study.

    >>> words(StudyRequest("moons", epochs=5))
    {'study': 'moons', 'epochs': '5'}
    """
    found = {"study": request.study}
    for word in WORDS[1:]:
        value = getattr(request, word)
        if value not in (None, 0):
            found[word] = str(value)
    return found


def command(request: StudyRequest, context: PageContext) -> list[str]:
    """Return the words of the command that trains a study.

    >>> command(StudyRequest("moons", replicates=5), PageContext("runs.db"))
    ['run', 'moons', '--replicates', '5', '--store', 'runs.db']
    """
    found = ["run", request.study]
    for word in WORDS[1:]:
        value = getattr(request, word)
        if value is not None and (word != "seed" or value):
            found += [f"--{word}", str(value)]
    folder = _folder(experiment(request.study), context)
    return found + (["--data", folder] if folder else []) + ["--store", context.store]


def command_line(request: StudyRequest, context: PageContext) -> str:
    """Return the command as it is typed."""
    return join(["undertow", *command(request, context)])


@lru_cache(maxsize=16)
def plan(request: StudyRequest, context: PageContext) -> PlannedStudy:
    """Load the data and plan the runs.

    Raises
    ------
    SpecError, DataError
        As `study.plan` and `data.load`.
    """
    found = experiment(request.study)
    data = _data(found.data, _folder(found, context)).first(found.train_samples)
    runs = study.plan(
        found, data, replicates=request.replicates, epochs=request.epochs, seed=request.seed
    )
    return PlannedStudy(found, runs, [run.job(0, *run.shards[0]).steps(data) for run in runs])


@lru_cache(maxsize=2)
def _data(name: str, folder: str | None) -> Data:
    return load(name, folder)


def _folder(found: Experiment, context: PageContext) -> str | None:
    """Return the folder of data sets for those that are read from files; the rest refuse one."""
    return context.data if found.data in CHECKSUMS else None
