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
    """Return the diagnosis of each arm, and the budget of each that keeps a probe.

    >>> import numpy as np
    >>> from undertow.trace.record import Chunk, Header, Layer, build
    >>> layer = Layer("output", 1, "linear", "linear", 2, 1)
    >>> header = Header((layer,), (0,), {"source": "trained"})
    >>> ones = np.ones((1, 1, 1))
    >>> chunk = Chunk(np.array([1]), np.array([1]), {"grad_norm": ones, "delta_norm": ones})
    >>> diagnoses, budgets = diagnose_and_explain({"relu": build(header, [chunk])})
    >>> diagnoses["relu"]["outcome"], budgets
    ('healthy', {})
    """
    from undertow.diagnosis.diagnose import diagnose as diagnosed

    diagnoses = {arm: without_nan(diagnosed(trace).document()) for arm, trace in traces.items()}
    budgets = {}
    for arm, trace in traces.items():
        # Without a probe, or where no gradient goes all the way, there is nothing to share out.
        with contextlib.suppress(UndertowError):
            budgets[arm] = summed_up(of_run(arm, trace))
    return diagnoses, budgets
