"""Explain where every decade of a gradient went: of a model, of a run, of a factory in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from undertow.errors import SpecError, needs
from undertow.explanation.budget import Budget, budget
from undertow.trace.record import Trace
from undertow.verbs import target
from undertow.verbs.documents import ExplainDocument


def explain(model: Any, loss_fn: Any, batch: Any) -> Budget:
    """Share out the decades between the first and the last hidden layer's delta, exactly.

    >>> import torch, undertow as ut
    >>> from torch import nn
    >>> layers = [nn.Linear(2, 8), nn.Sigmoid(), nn.Linear(8, 8), nn.Sigmoid(), nn.Linear(8, 1)]
    >>> batch = torch.ones(4, 2), torch.zeros(4, 1)
    >>> found = ut.explain(nn.Sequential(*layers), nn.functional.mse_loss, batch)
    >>> round(found.totals()["ceiling"], 3), found.closure_error < 1e-5
    (-0.602, True)

    One pass forward and back in the mode that the model is in; weights, gradients, buffers, random
    numbers and hooks are the same afterwards. Any graph will do: of its branches the one with most
    layers is followed, and what joins from the others is a term of its own.

    Parameters
    ----------
    model : torch.nn.Module
        Not compiled, not spread over processes.
    loss_fn : callable
        `loss_fn(model(inputs), targets)` is a mean over the batch.
    batch : (inputs, targets)
        A tuple of inputs goes to the model as several arguments, a dict by name.

    Returns
    -------
    Budget
        In dex, powers of ten: a row for each layer, a term for each cause.

    Raises
    ------
    SpecError
        A model or batch that cannot be, or no hidden layer behind another.
    UndertowError
        The gradient is 0, NaN or Inf on the way: there are no decades to share out.
    """
    needs("torch", "lab")
    from undertow.watching.torch.path.factors import gradient_path

    return budget(gradient_path(model, loss_fn, batch))


def explain_named(name: str, store: str, picture: str | None = None) -> ExplainDocument:
    """Return the budget of a run's probe, or of a model now, as a JSON document; draw it.

    >>> import tempfile
    >>> from undertow.data.dataset import load
    >>> from undertow.experiments import experiment
    >>> from undertow.studies.study import plan, run
    >>> from undertow.trace.store.reader import open as open_store
    >>> moons = load("moons")
    >>> asked = {"arms": ["relu"], "replicates": 1, "epochs": 1, "engine": "torch"}
    >>> planned = plan(experiment("moons"), moons, **asked)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = f"{folder}/runs.db"
    ...     with open_store(store, create=True) as opened:
    ...         (arm,) = run(planned, moons, opened, workers=1)
    ...     document = explain_named(arm.run, store)
    >>> round(document["total_dex"], 1), document["first"]
    (-1.4, 'hidden_1')
    """
    if picture:
        _check_picture(picture)
    if target.is_factory(name):
        made = target.make_model(name)
        found = target.call_user_code("the model", lambda: explain(*made))
    else:
        found = of_run(name, target.read_run(name, store))
    document = summed_up(found)
    if picture:
        from undertow.show import png
        from undertow.show.figures.waterfall import waterfall

        drawn = waterfall({name: document})
        assert drawn
        png.write_one(picture, drawn)
    return document


def of_run(name: str, trace: Trace) -> Budget:
    """Return the budget of the probe that a run keeps."""
    from undertow.trace.gradient_path import from_artefacts

    path = from_artefacts(trace.artefacts)
    if path is None:
        raise SpecError(
            f"run {name} holds no probe: runs of the laboratory with two hidden layers and more "
            "do. For a model of your own type  undertow explain MODULE:FACTORY"
        )
    return budget(path)


def summed_up(budget: Budget) -> ExplainDocument:
    """Return a budget as a JSON document, with the sentence that sums it up."""
    from undertow.explanation.sentence import sentence
    from undertow.numerals import without_nan

    return ExplainDocument(**without_nan(budget.document()), summary=sentence(budget))


def _check_picture(path: str) -> None:
    needs("altair", "show")
    needs("vl_convert", "show")
    if not path.endswith((".png", ".svg")):
        raise SpecError(f"--figure {path}: a file that ends in .png or .svg")
    if not Path(path).resolve().parent.is_dir():
        raise SpecError(f"--figure {path}: there is no folder {Path(path).resolve().parent}")
