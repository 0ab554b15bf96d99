"""Does the gradient reach every layer of my network, and if not, why?

Data flows one way through the rooms of this package; a room imports only from rooms above it.

    errors        one base class, the tree of errors
    files         a file that is whole or not there
    numerals      numbers as people read them, and as JSON can hold them
    activations   value, slope and kinks of each activation
    spec          a network, a training, a data set of points, in words and numbers
    statistics    intervals, paired tests, stuck counts
    theory        a textbook of mean-field theory: gaussian, signal, batch, finite width
    trace         the record in the middle: schema, readings, store, export
    data          toy points and images, split and ready
    remedies      what helps against each cause, and how it changes a trial
    diagnosis     Trace -> findings, one root cause
    prediction    network and a batch -> Trace, before training
    explanation   a gradient's path -> where every decade went
    watching      your training loop -> Trace
    engine        many networks trained in one pass -> chunks of a Trace
    executors     jobs out, chunks back
    studies       experiment -> arms x replicates -> Traces
    experiments   the built-in experiments and the claims that they decide
    show          Trace -> tables, figures, report
    verbs         names in, one document out
    app           the command line, the pages, the server
    sinks         a door: where a watched run goes beside the store

>>> import undertow as ut
>>> ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid").parameters
1031
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from undertow.trace.showing import fill_with as _fill_with

if TYPE_CHECKING:  # for editors; at run time each name is imported when it is first used
    from undertow.diagnosis.diagnose import Diagnosis, diagnose
    from undertow.errors import UndertowError
    from undertow.explanation.budget import Budget
    from undertow.prediction.network import predict
    from undertow.spec.network import NetworkSpec
    from undertow.spec.training import TrainingSpec
    from undertow.studies.experiment import Arm, Experiment
    from undertow.theory.signal.critical import critical
    from undertow.trace.record import Trace
    from undertow.trace.store.reader import Store, open
    from undertow.verbs.explain import explain
    from undertow.watching.torch.probe import probe
    from undertow.watching.torch.watch import watch

__version__ = "0.1.0"

# Public name -> the module that holds it; imported on first use, so `import undertow` is cheap.
_HOMES = {
    "NetworkSpec": "undertow.spec.network",
    "TrainingSpec": "undertow.spec.training",
    "predict": "undertow.prediction.network",
    "critical": "undertow.theory.signal.critical",
    "watch": "undertow.watching.torch.watch",
    "probe": "undertow.watching.torch.probe",
    "explain": "undertow.verbs.explain",
    "Budget": "undertow.explanation.budget",
    "diagnose": "undertow.diagnosis.diagnose",
    "Diagnosis": "undertow.diagnosis.diagnose",
    "Trace": "undertow.trace.record",
    "Experiment": "undertow.studies.experiment",
    "Arm": "undertow.studies.experiment",
    "Store": "undertow.trace.store.reader",
    "open": "undertow.trace.store.reader",
    "UndertowError": "undertow.errors",
}

__all__ = [
    "Arm",
    "Budget",
    "Diagnosis",
    "Experiment",
    "NetworkSpec",
    "Store",
    "Trace",
    "TrainingSpec",
    "UndertowError",
    "critical",
    "diagnose",
    "explain",
    "open",
    "predict",
    "probe",
    "watch",
]


_DOORS = ("sinks",)  # modules that are public as they are
# A value shows itself by what is registered there, imported when the first one does.
_fill_with(lambda: import_module("undertow.verbs.show_values"))


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return import_module(f"undertow.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'undertow' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *_DOORS, "__version__"]
