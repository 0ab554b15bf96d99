"""Whatever a trace holds, `diagnose` answers, and names each rule once."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import undertow as ut
from tests.diagnosis.traces import made
from undertow.diagnosis.rules import RULES
from undertow.numerals import without_nan
from undertow.show.terminal import verdict
from undertow.trace.record import Chunk, Event, Header, Layer, Trace, build, provenance
from undertow.trace.schema import EVENTS, VARIABLES

CODES = [rule.code for rule in RULES]
KINDS = [
    *("linear", "conv", "batch_norm", "layer_norm", "group_norm", "rms_norm", "embedding", "prelu"),
    *("lstm", "attention", "", "Größe"),
]
ACTIVATIONS = [
    *("linear", "relu", "sigmoid", "tanh", "hard_tanh", "gelu", "prelu", "unknown", "", "mein Φ"),
]
NAMES = [
    "0",
    "hidden_1",
    "encoder.layers.3",
    "Schicht_ä",
    "层",
    "a b",
    "",
    "core.weight_hh_l0",
    "x#2",
]
ODD = [0.0, -0.0, math.nan, math.inf, -math.inf, -1.0, 1e-45, 1e-300, 1e300, 1.0, 0.5, 2.0]
SIZES = st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 6))
FEW = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@st.composite
def layers(draw: st.DrawFn, count: int) -> list[Layer]:
    """Draw layers of any kind; a name may come again as a second call."""
    found: list[Layer] = []
    for place in range(count):
        name = draw(st.sampled_from(NAMES)) + draw(st.sampled_from(["", f".{place}", "#2"]))
        while name in {each.name for each in found}:
            name += "#2"
        kind, activation = draw(st.sampled_from(KINDS)), draw(st.sampled_from(ACTIVATIONS))
        fans = draw(st.tuples(st.integers(0, 100), st.integers(0, 100)))
        found.append(Layer(name, place + 1, kind, activation, *fans, draw(st.booleans())))
    return found


@st.composite
def traces(draw: st.DrawFn, source: str | None = None) -> Trace:
    """Draw a trace that `build` takes: any shape, any numbers, any variables missing."""
    replicates, steps, count = draw(SIZES)
    drawn = draw(layers(count))
    seed = draw(st.integers(0, 2**16))
    random = np.random.default_rng(seed)
    share_odd = draw(st.sampled_from([0.0, 0.1, 1.0]))
    sizes = {"replicate": replicates, "step": steps, "layer": count}
    arrays: dict[str, Any] = {}
    for name, variable in VARIABLES.items():
        if random.random() < 0.3:
            continue
        shape = tuple(sizes[dim] for dim in variable.dims)
        share = variable.unit == "share"
        numbers = random.random(shape) if share else 10.0 ** random.uniform(-9, 4, shape)
        numbers = np.where(random.random(shape) < share_odd, random.choice(ODD, shape), numbers)
        with np.errstate(over="ignore", under="ignore"):  # a float32 becomes Inf or 0
            arrays[name] = numbers.astype(random.choice(["float32", "float64"]))
    names = [each.name for each in drawn] + [None, "inputs"]
    events = [
        Event(
            draw(st.sampled_from(sorted(EVENTS))),
            draw(st.integers(0, 20)),
            draw(st.sampled_from(names)),
            draw(st.sampled_from([None, 0, 7])),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    attributes = draw(
        st.fixed_dictionaries(
            {"dtype": st.sampled_from(["float32", "float16", "bfloat16", "float64", "int8"])},
            optional={
                "batch_size": st.sampled_from([0, 1, 2, 64, "", None, "64", 2.5]),
                "network": st.sampled_from([{"normalisation": "batch"}, {}, "a net", None]),
            },
        )
    )
    written = source or draw(st.sampled_from(["watched", "trained", "predicted"]))
    header = Header(tuple(drawn), tuple(range(replicates)), provenance(written, **attributes))
    first = draw(st.integers(1, 200))
    count_up = np.arange(first, first + steps)
    if not steps and draw(st.booleans()):
        return build(header, [], events)
    return build(header, [Chunk(count_up, np.ones(steps, int), arrays)], events)


def check(trace: Trace, predicted: Trace | None = None) -> None:
    found = ut.diagnose(trace, predicted)
    assert [each.code for each in found.rules] == CODES
    assert found.outcome in ("healthy", "sick", "undecided")
    assert (found.root_cause is not None) == (found.outcome == "sick")
    names = set(trace.dataset["layer"].values.tolist())
    for each in found.findings:
        assert 0 < each.share <= 1
        assert set(each.layers) <= names
    document = without_nan(found.document())
    json.dumps(document, allow_nan=False)
    assert verdict.headline(document)
    assert verdict.verdicts({"any": document})


@FEW
@given(traces())
def test_any_trace_is_judged(trace: Trace):
    check(trace)


@FEW
@given(traces())
def test_any_trace_may_be_its_own_prediction(trace: Trace):
    check(trace, trace)


@settings(FEW, max_examples=40)
@given(st.sampled_from(sorted(VARIABLES)), st.sampled_from(ODD), st.sampled_from([1, 60]))
@example("nonfinite", math.nan, 60)
@example("loss", 0.0, 60)
def test_one_variable_of_one_odd_number(name: str, value: float, steps: int):
    check(made(steps=steps, replicates=2, **{name: value}))


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_any_one_variable_may_be_missing(name: str):
    check(made(without=[name]))


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_any_one_variable_may_stand_alone(name: str):
    check(made(without=sorted(set(VARIABLES) - {name})))


def test_nothing_at_all():
    check(build(Header((), (), {"source": "watched"}), []))
    check(build(Header((), (0,), {"source": "watched"}), []))
    check(made([], steps=5))
    check(made(replicates=0))
    check(made(steps=0))


def test_only_normalisations():
    norms = [Layer(f"norm_{i}", i, "layer_norm", "relu", 4, 4) for i in (1, 2, 3)]
    check(made(norms))


def test_numbers_of_one_kind_everywhere():
    every = {name: math.nan for name in VARIABLES}
    assert ut.diagnose(made(**every)).outcome == "undecided"
    for value in ODD:
        check(made(**dict.fromkeys(VARIABLES, value)))
