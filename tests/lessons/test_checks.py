"""What an answer is worth: the right ones pass, wrong ones fail and say where to look.

The numbers expected here are those of the literature's formulas, written out; the checks compute
theirs from the package's theory.
"""

from __future__ import annotations

import math

import pytest

from support import checks

GAIN = math.sqrt(math.pi / (math.pi - 1))  # of batch normalisation before ReLU, a layer


@pytest.mark.parametrize(
    ("verdict", "right"),
    [
        (checks.lesson_1("ceiling", 9 * math.log10(4)), True),
        (checks.lesson_1("ceiling", -5.42), True),
        (checks.lesson_1("ceiling", 6.02), False),
        (checks.lesson_1("saturation", 5.42), False),
        (checks.lesson_1(None, None), False),
        (checks.lesson_1_bonus("ceiling"), True),
        (checks.lesson_1_bonus("saturation"), False),
        (checks.lesson_2(0.154), True),
        (checks.lesson_2(0.94), False),
        (checks.lesson_2(None), False),
        (checks.lesson_3(1.761), True),
        (checks.lesson_3(1.0), False),
        (checks.lesson_3(4.0), False),
        (checks.lesson_3_bonus("softplus"), True),
        (checks.lesson_3_bonus("tanh"), False),
        (checks.lesson_4({"init-std-1", "init-std-10", "gradient-norm"}), True),
        (checks.lesson_4({"adam"}), False),
        (checks.lesson_4(set()), False),
        (checks.lesson_4_bonus(0), True),
        (checks.lesson_4_bonus(1), False),
        (checks.lesson_5(1 + math.ceil(math.log(1000) / math.log(GAIN) - 0.5)), True),
        (checks.lesson_5(13), False),
        (checks.lesson_5_bonus(13), True),
        (checks.lesson_5_bonus(37), False),
        (checks.lesson_6("A", "1", "UT101"), False),
        (checks.lesson_6("A", None, None), False),
    ],
)
def test_right_is_right_and_wrong_says_where_to_look(verdict, right):
    assert verdict.right is right
    assert len(verdict.said) > 10


def test_who_extrapolates_a_line_is_told_so():
    assert "line" in checks.lesson_2(0.94).said


def test_the_edge_of_chaos_is_that_of_the_literature():
    assert checks.edge_of_chaos() == pytest.approx(1.760955, abs=1e-4)


def test_the_next_fifty_layers_of_tanh_cost_what_the_power_law_says():
    assert abs(checks.tanh_dex(50)) == pytest.approx(0.917, abs=0.01)
    more = abs(checks.tanh_dex(100)) - abs(checks.tanh_dex(50))
    assert more == pytest.approx(0.154, abs=0.01)
