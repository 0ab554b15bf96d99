"""Report runs of a store: one HTML file, or their figures as PNG."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from undertow.errors import SpecError, StoreError, needs
from undertow.studies.description import Description
from undertow.trace.record import Trace
from undertow.trace.store.reader import Run, Store
from undertow.trace.store.reader import open as open_store
from undertow.verbs import report_watched
from undertow.verbs.documents import RunDocument
from undertow.verbs.which_study import known_study


def check_report(path: str | None) -> None:
    """Refuse a report that could not be written before hours of training, not after.

    >>> check_report("report.pdf")
    Traceback (most recent call last):
    ...
    undertow.errors.SpecError: --report report.pdf: a file that ends in .html
    """
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


def report(names: Sequence[str], output: str, *, png: bool, store: str, command: str) -> str:
    """Write the report of runs as HTML, or their figures as PNG; return what was written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open_store(f"{folder}/runs.db", create=True) as opened:
    ...         pass
    ...     report(["moons"], "a.html", png=False, store=f"{folder}/runs.db", command="")
    Traceback (most recent call last):
    ...
    undertow.errors.RunMissing: run 'moons' is not in the store ...
    """
    needs("altair", "show")
    with open_store(store) as opened:
        found = _resolve(opened, names)
        runs = {_label(each, found): (each.id, opened.trace(each.id)) for each in found}
    if found[0].source == "watched":
        return report_watched.report(runs, output, png=png, command=command, store=store)
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
    known = known_study(str(experiments.pop()), runs)
    document = study_document(
        known,
        runs,
        networks=0,
        seconds=sum(each.seconds for each in found),
        store=store,
        report=None if png else output,
    )
    if png:
        from undertow.show import png as pictures
        from undertow.show.report import page
        from undertow.verbs.arms import diagnose_and_explain

        traces = {label: trace for label, (_, trace) in runs.items()}
        insight = page.Insight(*diagnose_and_explain(traces))
        pictures.write(output, [*page.falls(insight), *page.figures(document, traces)])
        return output
    write_report(output, document, known, runs, command)
    return output


def study_document(
    known: Description,
    runs: dict[str, tuple[str, Trace]],
    *,
    networks: int,
    seconds: float,
    store: str,
    report: str | None,
) -> RunDocument:
    """Return what a study's runs show, as a JSON document."""
    from undertow.studies import summary

    first = next(iter(runs.values()))[1]
    seeds = first.dataset["seed"].values
    return {
        "experiment": known.name,
        "seed": int(seeds[0]),
        "replicates": len(seeds),
        "epochs": first.attributes["training"]["epochs"],
        "networks": networks,
        "seconds": seconds,
        "store": store,
        "report": report,
        **summary.document(known, runs),
    }


def write_report(
    path: str,
    document: RunDocument,
    known: Description,
    runs: dict[str, tuple[str, Trace]],
    command: str,
) -> None:
    """Write the HTML report of a study's runs."""
    from undertow.show import summary_text as words
    from undertow.show.report import page
    from undertow.verbs.arms import diagnose_and_explain

    traces = {label: trace for label, (_, trace) in runs.items()}
    page.write(
        path,
        document,
        traces,
        title=known.title,
        command=command,
        words=words.what_happened(document),
        insight=page.Insight(*diagnose_and_explain(traces)),
        again=again(document, known, traces),
    )


def again(document: RunDocument, known: Description, traces: Mapping[str, Trace]) -> str:
    """Return the command that trains a study's networks anew, with every value written out."""
    from shlex import join

    from undertow.studies.study import FRESH

    arms = list(dict.fromkeys(str(trace.attributes["arm"]) for trace in traces.values()))
    words = [
        "undertow",
        "run",
        known.origin or known.name,
        "--replicates",
        str(document["replicates"]),
    ]
    words += ["--seed", str(document["seed"] % FRESH)]
    epochs = {trace.attributes["training"]["epochs"] for trace in traces.values()}
    if len(epochs) == 1:
        words += ["--epochs", str(*epochs)]
    if set(arms) != set(known.arms):
        words += [word for arm in arms for word in ("--arm", arm)]
    return join([*words, "--fresh", "--report", f"{known.name}.html"])


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
    from undertow.studies.study import FRESH

    seeds = trace.dataset["seed"].values % FRESH
    return (trace.attributes["training"]["epochs"], *seeds.tolist())


def _label(run: Run, among: Sequence[Run]) -> str:
    """Name a run by its arm, or by its id where two runs share the arm."""
    arm = str(run.attributes.get("arm", run.name))
    alike = [each for each in among if each.attributes.get("arm", each.name) == arm]
    return arm if len(alike) == 1 else run.id
