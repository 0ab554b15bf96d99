"""How often `ut.diagnose` is wrong: over small nets, healthy and broken on purpose.

    python -m bench.zoo.run --make DIR              train all, half an hour; goes on where it was
    python -m bench.zoo.run --cache DIR             diagnose what is there: error rates, misses
    python -m bench.zoo.run --cache DIR --half tuning           for setting thresholds
    python -m bench.zoo.run --cache DIR --write docs/zoo.md     the page, held-out misses in it

MNIST and Fashion-MNIST are read from the folder that UNDERTOW_DATA names. Misses are listed of
the tuning half only, so that nobody sets a threshold by the held-out half; --misses lists others.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from bench.zoo import cases as zoo_cases
from bench.zoo import report as zoo_report
from bench.zoo.report import HALVES, Judgement
from bench.zoo.runs import Cache, Case, Proof, begin, make, proved


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--make", type=Path, metavar="DIR", help="train what DIR lacks")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="diagnose what DIR holds")
    parser.add_argument("--workers", type=int, default=1, help="processes (1)")
    parser.add_argument("--half", choices=(*HALVES, "both"), default="both")
    parser.add_argument("--misses", choices=(*HALVES, "both", "none"), default="tuning")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page, of both halves")
    arguments = parser.parse_args()
    if not arguments.make and not arguments.cache:
        parser.error("--make DIR trains, --cache DIR diagnoses: give one of them")
    begin()
    if arguments.make:
        make(arguments.make, zoo_cases.cases(), arguments.workers)
    if arguments.cache:
        report(arguments)


def report(arguments: argparse.Namespace) -> None:
    """Diagnose, print, and write the page if asked to."""
    cache = Cache(arguments.cache)
    kept, dropped, missing = sorted_out(cache)
    if arguments.write and missing:
        raise SystemExit(
            f"{len(missing)} cases are missing: type  python -m bench.zoo.run --make DIR"
        )
    names = HALVES if arguments.half == "both" or arguments.write else (arguments.half,)
    chosen = [case for case in kept if HALVES[case.is_held_out] in names]
    found = diagnosed(cache, chosen, arguments.workers)
    print(stock(kept, dropped, missing, cache))
    for name in names:
        print("\n".join(zoo_report.printed(found, name)))
    for name in HALVES:
        if name in names and arguments.misses in (name, "both"):
            lines = zoo_report.misses(zoo_report.half(found, name))
            print(f"\nmisses of the {name} half: {len(lines)} kinds")
            print("\n".join(lines))
    if arguments.write:
        arguments.write.write_text("\n".join(zoo_report.page(found, kept, dropped)) + "\n")


def sorted_out(cache: Cache) -> tuple[dict[Case, Proof], dict[Case, Proof], list[Case]]:
    """Return the cases that training proves, those it does not, and those not yet trained."""
    kept: dict[Case, Proof] = {}
    dropped: dict[Case, Proof] = {}
    missing = []
    for case in zoo_cases.cases():
        proof = proved(cache, case)
        if proof is None:
            missing.append(case)
        else:
            (dropped if proof.reason else kept)[case] = proof
    return kept, dropped, missing


def diagnosed(cache: Cache, cases: list[Case], workers: int) -> list[Judgement]:
    """Diagnose every run of cases, in their order."""
    if workers == 1:
        return zoo_report.judgements(cache, cases)
    parts = [cases[place::workers] for place in range(workers)]
    with ProcessPoolExecutor(workers, get_context("spawn"), begin) as processes:
        jobs = [processes.submit(zoo_report.judgements, cache, part) for part in parts]
        found = [each for job in jobs for each in job.result()]
    order = {case.name: place for place, case in enumerate(cases)}
    return sorted(found, key=lambda each: order[each.case.name])


def stock(
    kept: dict[Case, Proof], dropped: dict[Case, Proof], missing: list[Case], cache: Cache
) -> str:
    """Say what there is."""
    healthy = [case for case in kept if not case.fault]
    runs = sum(len(case.seeds) for case in healthy)
    lines = [
        f"{len(kept) - len(healthy)} broken cases, {len(healthy)} healthy configurations with "
        f"{runs} runs; {len(dropped)} dropped, {len(missing)} not trained yet"
    ]
    lines += [f"dropped  {case.name}: {proof.reason}" for case, proof in dropped.items()]
    old = sum(cache.is_stale(case) for case in kept)
    if old:
        lines.append(f"the watcher has changed since {old} cases were trained")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
