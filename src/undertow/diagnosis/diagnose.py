"""`undertow.diagnose`: every rule once, one root cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from undertow.diagnosis.advice import remedies
from undertow.diagnosis.document import DiagnoseDocument
from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.outside_training import notes
from undertow.diagnosis.root_cause import ORDER, majority, roots
from undertow.diagnosis.rule import Found, NotApplicable, NotMeasured, Outcome, Passed, judge
from undertow.diagnosis.rules import RULES
from undertow.diagnosis.thresholds import DEFAULT, Thresholds
from undertow.diagnosis.verdict import verdict
from undertow.errors import TraceError
from undertow.remedies import ADVICE
from undertow.trace.record import Trace
from undertow.trace.showing import show

if TYPE_CHECKING:
    import pandas

TITLES = {rule.code: rule.title for rule in RULES}
SEVERITIES = {rule.code: rule.severity for rule in RULES}
WORDS = {Passed: "passed", NotApplicable: "not applicable", NotMeasured: "not measured"}


class Finding(NamedTuple):
    """A rule's fault that is there, in `share` of the replicates."""

    code: str
    title: str
    severity: str
    layers: tuple[str, ...]
    evidence: str
    share: float
    at_start: bool
    symptom: bool


class RootCause(NamedTuple):
    """What the rest follows from, and what helps, the most effective first."""

    code: str
    title: str
    layers: tuple[str, ...]
    evidence: str
    remedies: tuple[str, ...]


class Judged(NamedTuple):
    """What became of one rule."""

    code: str
    outcome: str
    reason: str


@dataclass(frozen=True)
class Diagnosis:
    """The verdict on a trace.

    >>> import undertow as ut
    >>> net = ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> found = diagnose(ut.predict(net, [[1.0, 0.0], [0.0, 1.0]]))
    >>> found.outcome, found.root_cause.title, found.healthy
    ('sick', 'initialisation off critical', False)

    `outcome` is "healthy", "sick" or "undecided"; `reason` says why it is undecided, or what a
    healthy network lacks nonetheless. `findings` begin with the root cause; `rules` has every rule
    once; `notes` name layers that take no part in the training, which is no fault.
    """

    outcome: str
    root_cause: RootCause | None
    findings: tuple[Finding, ...]
    rules: tuple[Judged, ...]
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether the outcome is "healthy"."""
        return self.outcome == "healthy"

    def document(self) -> DiagnoseDocument:
        """Return what `undertow diagnose --json` prints."""
        root = self.root_cause
        found = {
            "outcome": self.outcome,
            "reason": self.reason,
            "root_cause": None
            if root is None
            else {
                **root._asdict(),
                "layers": list(root.layers),
                "remedies": list(root.remedies),
                "advice": [ADVICE[name] for name in root.remedies],
            },
            "findings": [{**each._asdict(), "layers": list(each.layers)} for each in self.findings],
            "rules": [each._asdict() for each in self.rules],
            "notes": list(self.notes),
        }
        return cast(DiagnoseDocument, found)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row a rule: code, outcome, reason."""
        import pandas

        return pandas.DataFrame(self.rules, columns=list(Judged._fields))

    def __str__(self) -> str:
        return show(self, "text")

    def _repr_html_(self) -> str:
        return show(self, "html")


def diagnose(
    trace: Trace, predicted: Trace | None = None, *, thresholds: Thresholds = DEFAULT
) -> Diagnosis:
    """Name the one cause why the gradient does not reach every layer as it should, if there is one.

    >>> import torch, undertow as ut
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
    >>> _ = model.append(nn.Linear(16, 1))
    >>> batch = torch.randn(32, 4), torch.zeros(32, 1)
    >>> ut.diagnose(ut.probe(model, nn.functional.mse_loss, batch)).outcome
    'healthy'

    Parameters
    ----------
    trace : Trace
        Of `watch`, of `probe`, of the laboratory, or a prediction.
    predicted : Trace, optional
        What theory expects of the same layers (`undertow.predict`): with it an initialisation can
        be told to be the cause, and an anomaly be outside the expected band.
    thresholds : Thresholds, optional
        What the rules compare with.

    Returns
    -------
    Diagnosis
        Of several replicates the verdict is that of the majority.

    Raises
    ------
    TraceError
        The prediction has other layers than the trace.
    """
    if not isinstance(trace, Trace):
        raise TraceError(
            f"diagnose: a Trace is needed, not a {type(trace).__name__}: w.trace(), ut.probe(...) "
            "or store.trace(run)"
        )
    _check_labels(trace, predicted)
    reading = Evidence(trace, predicted, thresholds)
    with np.errstate(all="ignore"):
        outcomes = {rule.code: judge(rule, reading) for rule in RULES}
        found = {code: each for code, each in outcomes.items() if isinstance(each, Found)}
        by_replicate = roots(found, reading) if reading.replicates else [None]
        code, is_tied = majority(by_replicate)
        said, reason = verdict(reading, outcomes, code, is_tied=is_tied)
    root = _root_cause(code, found, reading) if said == "sick" and code else None
    return Diagnosis(
        said,
        root,
        _findings(found, by_replicate, reading, root),
        tuple(_as_judged(code, outcome) for code, outcome in outcomes.items()),
        reason,
        notes(reading) if reading.layers else (),
    )


def _root_cause(code: str, found: Mapping[str, Found], reading: Evidence) -> RootCause:
    each = found[code]
    return RootCause(
        code,
        TITLES[code],
        _layers(each, reading),
        each.evidence,
        remedies(code, reading, each.evidence),
    )


def _findings(
    found: Mapping[str, Found],
    by_replicate: list[str | None],
    reading: Evidence,
    root: RootCause | None,
) -> tuple[Finding, ...]:
    first = root.code if root else None
    codes = sorted(found, key=lambda code: (code != first, ORDER.index(code)))
    return tuple(
        Finding(
            code,
            TITLES[code],
            SEVERITIES[code],
            _layers(found[code], reading),
            found[code].evidence,
            float(found[code].where.mean()),
            bool(found[code].at_start[found[code].where].mean() > 0.5),
            code not in by_replicate,
        )
        for code in codes
    )


def _layers(found: Found, reading: Evidence) -> tuple[str, ...]:
    """Name the layers that are faulty in most of the replicates where the fault is."""
    shares = found.layers[found.where].mean(0)
    most = shares > 0.5
    if not most.any() and shares.any():
        most = shares == shares.max()
    return tuple(reading.names[i] for i in np.flatnonzero(most))


def _as_judged(code: str, outcome: Outcome) -> Judged:
    if isinstance(outcome, Found):
        return Judged(code, "found", outcome.evidence)
    return Judged(code, WORDS[type(outcome)], outcome.reason)


def _check_labels(trace: Trace, predicted: Trace | None) -> None:
    if predicted is None:
        return
    if not isinstance(predicted, Trace):
        raise TraceError(f"predicted: a Trace of ut.predict, not a {type(predicted).__name__}")
    reading = Evidence(trace)
    known, foretold = reading.names, [str(name) for name in predicted.dataset["layer"].values]
    other = [name for name in foretold if name not in known]
    other += [known[i] for i in np.flatnonzero(reading.matrix) if known[i] not in foretold]
    if other:
        raise TraceError(
            f"predicted: layer {', '.join(map(repr, other[:3]))} is in one of the two traces only; "
            "predict the network that was measured"
        )
