"""A network's towers, each judged along its own way: by the gradient through the cuts of its graph.

Two networks side by side, an encoder and its decoder, or heads of different size have nothing to
say about one another; and beside a stream that carries the gradient a branch may get next to
nothing. Where a trace knows no edges, its layers are read as one chain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import Found, NotApplicable, NotMeasured, Outcome, Passed


def judge_towers(check: Callable[[Evidence], Outcome], reading: Evidence) -> Outcome:
    """Judge each tower by itself; what is found in one is found.

    >>> from undertow.trace.record import Header, Layer, build, provenance
    >>> layer = Layer("only", 1, "linear", "tanh", 2, 2)
    >>> evidence = Evidence(build(Header((layer,), (0,), provenance("watched")), []))
    >>> judge_towers(lambda tower: Passed(", ".join(tower.names)), evidence)
    Passed(reason='only')
    """
    return _joined([check(tower) for tower in reading.towers])


def _joined(outcomes: Sequence[Outcome]) -> Outcome:
    found = [each for each in outcomes if isinstance(each, Found)]
    if len(found) > 1:
        first = found[0]
        where = np.logical_or.reduce([each.where for each in found])
        layers = np.logical_or.reduce([each.layers for each in found])
        at_start = np.logical_or.reduce([each.at_start & each.where for each in found])
        return Found(where, layers, at_start, first.evidence)
    for kind in (Found, Passed, NotMeasured, NotApplicable):
        for outcome in outcomes:
            if isinstance(outcome, kind):
                return outcome
    return NotApplicable("no layer is part of a network")
