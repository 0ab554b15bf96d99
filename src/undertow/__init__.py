"""Does the gradient reach every layer of my network, and if not, why?

Data flows one way through the rooms of this package; a room imports only from rooms above it.

    errors       one base class, the tree of errors
    spec         what a network and its training are
    theory       closed-form mathematics: moments, critical points, kernel maps, finite width
    statistics   intervals, paired tests, stuck counts
    trace        the record in the middle: schema, store, export
    prediction   network and a batch -> Trace, before training
    lab          experiment -> many trained networks -> Trace
    watching     your training loop -> Trace
    explanation  a way back -> where every decade of gradient went
    diagnosis    Trace -> findings, one root cause
    show         Trace -> tables, figures, report
    app          the command line

>>> import undertow as ut
>>> ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid").parameters
1031
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Public name -> the module that holds it; imported on first use, so `import undertow` is cheap.
_HOMES = {
    "NetworkSpec": "undertow.spec",
    "TrainingSpec": "undertow.spec",
    "predict": "undertow.prediction.network",
    "critical": "undertow.theory.critical",
    "watch": "undertow.watching.watch",
    "probe": "undertow.watching.probe",
    "explain": "undertow.explanation.explain",
    "Budget": "undertow.explanation.budget",
    "diagnose": "undertow.diagnosis.diagnose",
    "Diagnosis": "undertow.diagnosis.diagnose",
    "Trace": "undertow.trace.record",
    "Store": "undertow.trace.store",
    "open": "undertow.trace.store",
    "UndertowError": "undertow.errors",
}

__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'undertow' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
