"""Layers that take no part: unused, or frozen on purpose. Notes, unless nothing learns."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

import undertow as ut
from tests.diagnosis.traces import FALLING, FLAT, at, chain, made, outcome, row
from undertow.show.terminal.verdict import diagnosis

UNUSED = {"not_seen": {"hidden_3": "it was not called"}}
GONE = row(7, 0.1, at_3=np.nan)
NOTE = "'hidden_3': not used, for no forward pass reached it"


def frozen(count: int, width: int = 64) -> list:
    names = [f"hidden_{place}" for place in range(1, count + 1)]
    return at(chain(width=width), **{name: {"trainable": False} for name in names})


def first(count: int) -> np.ndarray:
    """Nothing comes to the first layers."""
    return row(7, 0.1, **{f"at_{place}": np.nan for place in range(1, count + 1)})


def test_an_unused_layer_is_a_note():
    trace = made(grad_norm=GONE, delta_norm=GONE, attributes=UNUSED, loss=FALLING)
    found = ut.diagnose(trace)
    assert (found.outcome, found.notes) == ("healthy", (NOTE,))
    assert found.document()["notes"] == [NOTE]


def test_a_note_is_printed_with_what_is_in_it_made_harmless():
    seen = {"not_seen": {"a\x1b[31m": "it was not called"}}
    layers = at(chain(), hidden_3={"name": "a\x1b[31m"})
    found = ut.diagnose(made(layers, grad_norm=GONE, delta_norm=GONE, attributes=seen))
    out = io.StringIO()
    Console(file=out, width=120, color_system=None).print(diagnosis(found.document(), "net"))
    (line,) = [line for line in out.getvalue().splitlines() if "Note:" in line]
    assert line.strip().endswith("not used, for no forward pass reached it.")
    assert "\x1b" not in line


def test_where_nothing_is_learnt_an_unused_layer_may_be_the_reason():
    trace = made(grad_norm=GONE, delta_norm=GONE, attributes=UNUSED, loss=FLAT)
    assert outcome(trace, "UT108") == "found"
    assert ut.diagnose(trace).notes == ()


def test_a_layer_that_ran_and_got_no_gradient_is_no_unused_one():
    seen = {"not_seen": {"hidden_3": "no gradient came to it"}}
    trace = made(grad_norm=GONE, delta_norm=GONE, attributes=seen, loss=FALLING)
    assert outcome(trace, "UT108") == "found"


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("the gradient passes through it", {"delta_norm": 0.01, "loss": FLAT}),
        ("the loss has halved", {"delta_norm": first(5), "loss": FALLING}),
    ],
)
def test_a_body_frozen_on_purpose_is_a_note(why: str, changes: dict):
    trace = made(frozen(5), grad_norm=first(5), **changes)
    assert outcome(trace, "UT108") == "passed", why
    (note,) = ut.diagnose(trace).notes
    assert note.startswith("'hidden_1', 'hidden_2', 'hidden_3' and 2 more: frozen")


def test_a_teacher_has_a_trained_twin_of_every_layer():
    student, teacher = chain(2), [each._replace(trainable=False) for each in chain(2)]
    layers = [each._replace(name=f"teacher.{each.name}") for each in teacher] + student
    gone = row(6, 0.1, at_1=np.nan, at_2=np.nan, at_3=np.nan)
    trace = made(layers, grad_norm=gone, delta_norm=gone, loss=FLAT)
    assert outcome(trace, "UT108") == "passed"
    other = [each._replace(fan_in=each.fan_in + 1) for each in layers[:3]] + student[:2]
    trace = made(other, grad_norm=gone[:5], delta_norm=gone[:5], loss=FLAT)
    assert outcome(trace, "UT108") == "found"  # most of the matrices, and no twins
