"""Numbers in words: what is printed is the number, to the figures that are promised."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow import numerals

SIZES = st.floats(1e-30, 1e30)


@given(SIZES)
def test_a_number_in_a_sentence_is_right_to_two_figures(value: float):
    digits, _, exponent = numerals.scientific(value).partition(" × 10")
    raised = exponent.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or "0"
    assert float(digits) * 10.0 ** int(raised) == pytest.approx(value, rel=0.0501)


@given(st.floats(1e-8, 0.0999) | st.floats(10.0, 1e8))
def test_a_ratio_read_out_is_the_ratio_to_two_figures(share: float):
    found = numerals.share_of(share)
    number = float(re.sub(r"^1/|,| times| of", "", found))
    assert (1 / number if found.startswith("1/") else number) == pytest.approx(share, rel=0.051)


@given(st.floats(0.3, 11.9), st.sampled_from([-1, 1]))
def test_decades_as_a_ratio_are_the_ratio_to_a_quarter(size: float, sign: int):
    found = numerals.about(sign * size)
    assert ("1/" in found) == (sign < 0)
    number = float(re.sub(r"about |1/|,| times| of", "", found))
    assert math.log10(number) == pytest.approx(size, abs=math.log10(1.26))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_what_is_not_finite_is_nothing_in_json_and_a_dash_on_a_page(value: float):
    assert numerals.finite(value) is None
    assert numerals.entry(value) == numerals.NONE
    document = numerals.without_nan({"a": [{"b": float(value)}], "c": "nan"})
    assert json.dumps(document, allow_nan=False) == '{"a": [{"b": null}], "c": "nan"}'


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), 0.5])
def test_a_number_of_numpy_is_a_number_of_json(value: float):
    assert type(numerals.finite(value)) is float
    assert numerals.finite(value) == 0.5
