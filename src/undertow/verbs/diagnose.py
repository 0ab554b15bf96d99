"""Diagnose a run of a store, or one pass of a user's model."""

from __future__ import annotations

from undertow.diagnosis.document import DiagnoseDocument
from undertow.errors import SpecError, needs
from undertow.numerals import without_nan
from undertow.trace.record import Trace
from undertow.verbs import target

STATUS = {"healthy": 0, "sick": 1, "undecided": 3}


def diagnose_named(name: str, store: str, *, theory: bool) -> tuple[DiagnoseDocument, int]:
    """Return the diagnosis of a run, or of one pass of a model, and the exit status.

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
    ...     document, status = diagnose_named(arm.run, store, theory=False)
    >>> document["outcome"], status
    ('healthy', 0)
    """
    from undertow.diagnosis.diagnose import diagnose as diagnosed

    predicted = None
    if target.is_factory(name):
        made = target.make_model(name)
        needs("torch", "lab")
        from undertow.watching.torch.probe import probe

        trace = target.call_user_code(name, lambda: probe(*made))
        if theory:
            predicted = target.call_user_code(name, lambda: _predict(made))
    else:
        trace = target.read_run(name, store)
        if theory:
            raise SpecError("--theory is for MODULE:FACTORY: a run has no model to predict")
    found = diagnosed(trace, predicted)
    return without_nan(found.document()), STATUS[found.outcome]


def _predict(made: target.Model) -> Trace:
    from undertow.prediction.network import predict

    return predict(made.model, made.batch[0], targets=made.batch[1])
