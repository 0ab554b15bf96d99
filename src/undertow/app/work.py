"""What the commands do: calls on the rooms, one after the other."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from undertow.app import watched
from undertow.errors import SpecError, StoreError, needs
from undertow.trace.record import Trace
from undertow.trace.store import Run, Store
from undertow.trace.store import open as open_store


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
) -> dict[str, Any]:
    """Plan, train, summarise and report an experiment; return its JSON document."""
    from undertow.lab.experiments import experiment as find

    experiment = find(name)
    needs("torch", "lab")
    from undertow.lab import study
    from undertow.lab.data import load
    from undertow.lab.workers import check as check_workers

    check_workers(workers)
    data_set = load(experiment.data, data).first(experiment.train_samples)
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
        _say_plan(planned, study.tasks_left(planned, opened, fresh=fresh), data_set, workers)
        with _progress(planned) as progress:
            outcomes = study.run(
                planned, data_set, opened, fresh=fresh, workers=workers, progress=progress
            )
    seconds = time.perf_counter() - began
    runs = {outcome.arm: (outcome.run, outcome.trace) for outcome in outcomes}
    document = _document(
        experiment.name,
        runs,
        networks=sum(outcome.trained for outcome in outcomes),
        seconds=seconds,
        store=store,
        report=report,
    )
    if report:
        _write_report(report, document, runs, command)
    return document


def _say_plan(planned: Sequence[Any], left: Sequence[Any], data: Any, workers: int | None) -> None:
    """Say, before the first step, what will be trained and about how long it takes."""
    from undertow.lab.estimate import seconds_left
    from undertow.lab.lanes.library import absence, library
    from undertow.show import words

    sizes = [run.arm.network.parameters for run in planned]
    line = words.plan(
        planned[0].experiment,
        arms=len(planned),
        replicates=len(planned[0].seeds),
        parameters=(min(sizes), max(sizes)),
        left=sum(len(task.seeds) for task in left),
        seconds=seconds_left(left, data, workers),
    )
    print(line, file=sys.stderr)
    if library() is None:
        print(f"the slower engine trains, PyTorch: of lanes, {absence()}", file=sys.stderr)


def check_report(path: str | None) -> None:
    """Refuse a report that could not be written before hours of training, not after."""
    if path is None:
        return
    needs("altair", "show")
    needs("vl_convert", "show")
    whole = Path(path).resolve()
    folder = whole.parent
    if not path.endswith((".html", ".htm")):
        raise SpecError(f"--report {path}: a file that ends in .html")
    if not folder.is_dir():
        raise StoreError(f"--report {path}: there is no folder {folder}")
    if whole.is_dir() or not os.access(whole if whole.exists() else folder, os.W_OK):
        raise StoreError(f"--report {path}: it cannot be written; name another file")


def print_document(document: dict[str, Any]) -> None:
    """Print what an experiment showed, for people."""
    from rich.console import Console

    from undertow.show import terminal, words

    console = Console(markup=False, highlight=False)
    console.print(terminal.arms(document))
    console.print(words.GLOSSARY, style="dim")
    console.print()
    console.print(words.paragraph(document))
    console.print(terminal.claims(document))
    trained, seconds = document["networks"], document["seconds"]
    console.print(
        f"{trained} networks trained and measured in {seconds:.1f} s."
        if trained
        else "All of it was in the store already; --fresh trains anew.",
        f"Runs: {document['store']}."
        + (f" Report: {document['report']}." * bool(document["report"])),
        style="dim",
    )


def report(names: Sequence[str], output: str, *, png: bool, store: str, command: str) -> str:
    """Write the report of runs as HTML, or their figures as PNG; return what was written."""
    needs("altair", "show")
    with open_store(store) as opened:
        found = _resolve(opened, names)
        runs = {_label(each, found): (each.id, opened.trace(each.id)) for each in found}
    if found[0].source == "watched":
        return watched.report(runs, output, png=png, command=command, store=store)
    first = next(iter(runs.values()))[1]
    for label, (_, trace) in runs.items():
        if _how(trace) != _how(first):
            raise SpecError(
                f"{label} has other seeds or epochs than {next(iter(runs))}: name runs that were "
                "made alike, by their ids. Type  undertow runs"
            )
    experiments = {each.attributes.get("experiment") for each in found}
    if len(experiments) > 1:
        raise SpecError(
            f"runs of several experiments ({', '.join(sorted(map(str, experiments)))}): name runs "
            "of one"
        )
    document = _document(
        str(experiments.pop()),
        runs,
        networks=0,
        seconds=sum(each.seconds for each in found),
        store=store,
        report=None if png else output,
    )
    if png:
        from undertow.app import insight
        from undertow.show import png as pictures
        from undertow.show import report as page

        traces = {label: trace for label, (_, trace) in runs.items()}
        known = page.Insight(*insight.of_arms(traces))
        pictures.write(output, [*page.falls(known), *page.figures(document, traces)])
        return output
    _write_report(output, document, runs, command)
    return output


def _document(
    name: str,
    runs: dict[str, tuple[str, Trace]],
    *,
    networks: int,
    seconds: float,
    store: str,
    report: str | None,
) -> dict[str, Any]:
    from undertow.lab import results
    from undertow.lab.experiments import experiment

    first = next(iter(runs.values()))[1]
    seeds = first.dataset["seed"].values
    return {
        "experiment": name,
        "seed": int(seeds[0]),
        "replicates": len(seeds),
        "epochs": first.attributes["training"]["epochs"],
        "networks": networks,
        "seconds": seconds,
        "store": store,
        "report": report,
        **results.document(experiment(name), runs),
    }


def _write_report(
    path: str, document: dict[str, Any], runs: dict[str, tuple[str, Trace]], command: str
) -> None:
    from undertow.app import insight
    from undertow.lab.experiments import experiment
    from undertow.show import report as page
    from undertow.show import words

    page.write(
        path,
        document,
        {label: trace for label, (_, trace) in runs.items()},
        title=experiment(document["experiment"]).title,
        command=command,
        words=words.happened(document),
        insight=page.Insight(*insight.of_arms({arm: trace for arm, (_, trace) in runs.items()})),
        again=again(document, {label: trace for label, (_, trace) in runs.items()}),
    )


def again(document: Mapping[str, Any], traces: Mapping[str, Trace]) -> str:
    """Return the command that trains a study's networks anew, with every value written out."""
    from shlex import join

    from undertow.lab.experiments import experiment
    from undertow.lab.study import FRESH

    name = document["experiment"]
    arms = list(dict.fromkeys(str(trace.attributes["arm"]) for trace in traces.values()))
    words = ["undertow", "run", name, "--replicates", str(document["replicates"])]
    words += ["--seed", str(document["seed"] % FRESH)]
    epochs = {trace.attributes["training"]["epochs"] for trace in traces.values()}
    if len(epochs) == 1:
        words += ["--epochs", str(*epochs)]
    if set(arms) != {arm.name for arm in experiment(name).arms}:
        words += [word for arm in arms for word in ("--arm", arm)]
    return join([*words, "--fresh", "--report", f"{name}.html"])


def _resolve(store: Store, names: Sequence[str]) -> list[Run]:
    """Find runs by id, or the newest finished run of each arm by the experiment's name."""
    found: dict[str, Run] = {}
    for name in names:
        newest = {
            each.attributes.get("arm"): each
            for each in store.runs()
            if each.attributes.get("experiment") == name and each.state == "finished"
        }
        for each in newest.values() or [store.run(name)]:
            found[each.id] = each
    sources = {each.source for each in found.values()}
    if len(sources) > 1:
        raise SpecError(
            f"runs that were {' and runs that were '.join(sorted(sources))}: name runs of one kind"
        )
    for each in found.values():
        # Of a run that was watched all that is there can be shown, also while it goes on.
        if each.source == "trained" and each.finished_replicates < each.replicates:
            raise StoreError(
                f"run {each.id} is {each.state}: only whole runs are reported; the command that "
                "began it goes on with it"
            )
    return list(found.values())


def _how(trace: Trace) -> tuple[object, ...]:
    """Return what runs of one report must share; a placebo's seeds lie above the others'."""
    from undertow.lab.study import FRESH

    seeds = trace.dataset["seed"].values % FRESH
    return (trace.attributes["training"]["epochs"], *seeds.tolist())


def _label(run: Run, among: Sequence[Run]) -> str:
    """Name a run by its arm, or by its id where two runs share the arm."""
    arm = str(run.attributes.get("arm", run.name))
    alike = [each for each in among if each.attributes.get("arm", each.name) == arm]
    return arm if len(alike) == 1 else run.id


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
