"""Plan, train, summarise and report an experiment, and say what it showed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from undertow.errors import needs
from undertow.trace.store.reader import open as open_store
from undertow.verbs.documents import RunDocument
from undertow.verbs.report import study_document, write_report
from undertow.verbs.which_study import find_experiment


def run(
    name: str,
    *,
    replicates: int | None,
    epochs: int | None,
    seed: int,
    arms: Sequence[str],
    data: str | None,
    store: str,
    report: str | None,
    fresh: bool,
    workers: int | None,
    engine: str,
    command: str,
) -> RunDocument:
    """Plan, train, summarise and report an experiment; return its JSON document."""
    experiment = find_experiment(name)
    needs("torch", "lab")
    from undertow.data.dataset import load
    from undertow.executors.processes import check_workers as check_workers
    from undertow.studies import description, study
    from undertow.studies.own_experiment import check_fit

    check_workers(workers)
    data_set = load(experiment.data, data).first(experiment.train_samples)
    check_fit(experiment, data_set)
    planned = study.plan(
        experiment,
        data_set,
        arms=arms,
        replicates=replicates,
        epochs=epochs,
        seed=seed,
        engine=engine,
    )
    began = time.perf_counter()
    with open_store(store, create=True) as opened:
        _say_plan(planned, study.jobs_left(planned, opened, fresh=fresh), data_set, workers)
        with _progress(planned) as progress:
            outcomes = study.run(
                planned, data_set, opened, fresh=fresh, workers=workers, progress=progress
            )
        seconds = time.perf_counter() - began
        runs = {outcome.arm: (outcome.run, outcome.trace) for outcome in outcomes}
        known = description.describe(experiment)
        if known.origin:  # whoever reports them may not have the code that judges
            for each, kept in description.verdicts(known, runs).items():
                opened.annotate(each, **{description.JUDGED: kept})
    document = study_document(
        known,
        runs,
        networks=sum(outcome.trained for outcome in outcomes),
        seconds=seconds,
        store=store,
        report=report,
    )
    if report:
        write_report(report, document, known, runs, command)
    return document


def _say_plan(planned: Sequence[Any], left: Sequence[Any], data: Any, workers: int | None) -> None:
    """Say, before the first step, what will be trained and about how long it takes."""
    from undertow.engine.lanes.native_library import absence, library
    from undertow.show import summary_text
    from undertow.studies.estimate import seconds_left

    sizes = [run.arm.network.parameters for run in planned]
    line = summary_text.plan(
        planned[0].experiment,
        arms=len(planned),
        replicates=len(planned[0].seeds),
        parameters=(min(sizes), max(sizes)),
        left=sum(len(job.seeds) for job in left),
        seconds=seconds_left(left, data, workers),
    )
    print(line, file=sys.stderr)
    if library() is None:
        print(f"the slower engine trains, PyTorch: of lanes, {absence()}", file=sys.stderr)


def print_document(document: RunDocument) -> None:
    """Print what an experiment showed, for people."""
    from rich.console import Console

    from undertow.show import summary_text
    from undertow.show.terminal import arms_table

    console = Console(markup=False, highlight=False)
    console.print(arms_table.arms(document))
    console.print(summary_text.GLOSSARY, style="dim")
    console.print()
    console.print(summary_text.paragraph(document))
    console.print(arms_table.claims(document))
    trained, seconds = document["networks"], document["seconds"]
    console.print(
        f"{trained} networks trained and measured in {seconds:.1f} s."
        if trained
        else "All of it was in the store already; --fresh trains anew.",
        f"Runs: {document['store']}."
        + (f" Report: {document['report']}." * bool(document["report"])),
        style="dim",
    )


@contextmanager
def _progress(planned: Sequence[Any]) -> Iterator[Callable[[Any], None]]:
    """Show progress on a terminal; show none when piped."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description:24}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} epochs"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def receive(done: Any) -> None:
            if done.arm not in tasks:
                tasks[done.arm] = bar.add_task(done.arm, total=done.epochs)
            bar.update(tasks[done.arm], completed=done.epochs_done)

        yield receive
