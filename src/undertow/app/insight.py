"""What `undertow explain` and `undertow diagnose` do: on a run, or on a model of the user's."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from undertow.app import target
from undertow.errors import SpecError, UndertowError, needs
from undertow.show.live import without_nan
from undertow.trace.record import Trace

STATUS = {"healthy": 0, "sick": 1, "undecided": 3}


def explain(name: str, store: str, picture: str | None = None) -> dict[str, Any]:
    """Return the budget of a run's probe, or of a model now, as a JSON document; draw it."""
    if picture:
        _check_picture(picture)
    from undertow.explanation.budget import Budget

    if target.is_factory(name):
        budget: Budget = _explained(target.model(name))
    else:
        budget = of_run(name, target.run(name, store))
    document = _summed_up(budget)
    if picture:
        from undertow.show import png
        from undertow.show.figures.waterfall import waterfall

        drawn = waterfall({name: document})
        assert drawn
        png.write_one(picture, drawn)
    return document


def of_run(name: str, trace: Trace) -> Any:
    """Return the budget of the probe that a run keeps."""
    from undertow.explanation.budget import budget
    from undertow.trace.way import unpacked

    way = unpacked(trace.artefacts)
    if way is None:
        raise SpecError(
            f"run {name} holds no probe: runs of the laboratory with two hidden layers and more "
            "do. For a model of your own type  undertow explain MODULE:FACTORY"
        )
    return budget(way)


def diagnose(name: str, store: str, *, theory: bool) -> tuple[dict[str, Any], int]:
    """Return the diagnosis of a run, or of one pass of a model, and the exit status."""
    from undertow.diagnosis.diagnose import diagnose as diagnosed

    predicted = None
    if target.is_factory(name):
        made = target.model(name)
        needs("torch", "lab")
        from undertow.watching.probe import probe

        trace = _careful(name, lambda: probe(*made))
        if theory:
            predicted = _careful(name, lambda: _predicted(made))
    else:
        trace = target.run(name, store)
        if theory:
            raise SpecError("--theory is for MODULE:FACTORY: a run has no model to predict")
    found = diagnosed(trace, predicted)
    return without_nan(found.document()), STATUS[found.outcome]


def of_arms(traces: Mapping[str, Trace]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the diagnosis of each arm, and the budget of each that keeps a probe."""
    from undertow.diagnosis.diagnose import diagnose as diagnosed

    diagnoses = {arm: without_nan(diagnosed(trace).document()) for arm, trace in traces.items()}
    budgets = {}
    for arm, trace in traces.items():
        # Without a probe, or where no gradient goes all the way, there is nothing to share out.
        with contextlib.suppress(UndertowError):
            budgets[arm] = _summed_up(of_run(arm, trace))
    return diagnoses, budgets


def _summed_up(budget: Any) -> dict[str, Any]:
    from undertow.explanation.words import sentence

    return {**without_nan(budget.document()), "summary": sentence(budget)}


def _check_picture(path: str) -> None:
    needs("altair", "show")
    needs("vl_convert", "show")
    if not path.endswith((".png", ".svg")):
        raise SpecError(f"--figure {path}: a file that ends in .png or .svg")
    if not Path(path).resolve().parent.is_dir():
        raise SpecError(f"--figure {path}: there is no folder {Path(path).resolve().parent}")


def _explained(made: target.Model) -> Any:
    from undertow.explanation.explain import explain as explained

    return _careful("the model", lambda: explained(*made))


def _predicted(made: target.Model) -> Trace:
    from undertow.prediction.network import predict

    return predict(made.model, made.batch[0], targets=made.batch[1])


def _careful(name: str, call: Any) -> Any:
    """Call the user's model; what goes wrong in it is one line, what it prints is for people."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return call()
    except UndertowError:
        raise
    except (Exception, SystemExit) as error:
        lines = str(error).splitlines() or [""]
        raise SpecError(f"{name} failed on its batch: {type(error).__name__}: {lines[0]}") from None
