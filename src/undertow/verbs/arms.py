"""Diagnose and explain each arm of a study, for its report and for the pages."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from undertow.diagnosis.document import DiagnoseDocument
from undertow.errors import UndertowError
from undertow.numerals import without_nan
from undertow.trace.record import Trace
from undertow.verbs.documents import ExplainDocument
from undertow.verbs.explain import of_run, summed_up


def diagnose_and_explain(
    traces: Mapping[str, Trace],
) -> tuple[dict[str, DiagnoseDocument], dict[str, ExplainDocument]]:
    """Return the diagnosis of each arm, and the budget of each that keeps a probe."""
    from undertow.diagnosis.diagnose import diagnose as diagnosed

    diagnoses = {arm: without_nan(diagnosed(trace).document()) for arm, trace in traces.items()}
    budgets = {}
    for arm, trace in traces.items():
        # Without a probe, or where no gradient goes all the way, there is nothing to share out.
        with contextlib.suppress(UndertowError):
            budgets[arm] = summed_up(of_run(arm, trace))
    return diagnoses, budgets
