"""Norms against float64 sums, over the whole range of each type."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.watching.torch.norms import ROW, SAFE, magnitude, norm, norms, numbers

SIZES = (1, 7, ROW, SAFE, SAFE + 1, 600_000, 4_000_003)


def spread(count: int, decade: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return (torch.randn(count, generator=generator, dtype=torch.float64) * 10.0**decade).to(dtype)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("decade", [-40, -30, -20, 0, 15, 30])
def test_float32(size: int, decade: int):
    tensor = spread(size, decade)
    expected = float(tensor.double().norm())
    assert numbers([norm(tensor)])[0] == pytest.approx(expected, rel=1e-6)
    assert numbers(norms([tensor, tensor[:1]]))[0] == pytest.approx(expected, rel=1e-6)
    magnitudes = float(tensor.double().abs().sum())
    assert numbers([magnitude(tensor)])[0] == pytest.approx(magnitudes, rel=1e-5)


@pytest.mark.parametrize(("decade", "expected"), [(-200, 3e-200), (-300, 3e-300), (200, 3e200)])
def test_float64_beyond_its_squares(decade: int, expected: float):
    tensor = torch.full((9,), 10.0**decade, dtype=torch.float64)
    assert norm(tensor) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype):
    tensor = spread(100_000, 2, dtype)  # whose squares float16 does not hold
    expected = float(tensor.double().norm())
    assert numbers([norm(tensor)])[0] == pytest.approx(expected, rel=1e-6)
    assert numbers(norms([tensor]))[0] == pytest.approx(expected, rel=1e-6)


def test_any_strides():
    tensor = spread(700 * 300, 0).view(700, 300)
    for view in (
        tensor.T,
        tensor[::2],
        tensor[:, 10:50].T,
        tensor.view(7, 100, 300).transpose(0, 2),
    ):
        expected = float(view.double().norm())
        assert numbers([norm(view)])[0] == pytest.approx(expected, rel=1e-6)


def test_sparse_gradients_are_summed_first():
    indices, values = torch.tensor([[1, 1, 4]]), torch.tensor([[3.0], [-1.0], [5.0]])
    sparse = torch.sparse_coo_tensor(indices, values, (6, 1), check_invariants=True)
    assert norm(sparse) == pytest.approx(math.sqrt(29))
    assert numbers(norms([sparse, torch.zeros(3)])).tolist() == pytest.approx([29**0.5, 0.0])


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("size", [3, SAFE + 5])
def test_what_is_not_finite_stays(value: float, size: int):
    tensor = torch.ones(size)
    tensor[-1] = value
    for found in (numbers([norm(tensor)])[0], numbers(norms([tensor]))[0]):
        assert np.isnan(found) if math.isnan(value) else found == value


def test_empty_and_zero():
    assert numbers([norm(torch.zeros(0)), norm(torch.zeros(5))]).tolist() == [0.0, 0.0]
    assert numbers(norms([torch.zeros(0), torch.zeros(5)])).tolist() == [0.0, 0.0]


@settings(deadline=None)
@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=50))
def test_any_numbers(values: list[float]):
    tensor = torch.tensor(values, dtype=torch.float32)
    expected = float(np.linalg.norm(tensor.double().numpy()))
    assert norm(tensor) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("size", [9216, SAFE, 36_864, 700_000])
@pytest.mark.parametrize("expanded", [True, False])
def test_equal_entries(size: int, expanded: bool):
    # Their rounding errors add up, as they do in the delta of a mean.
    tensor = torch.tensor(0.0071230037).expand(size)
    tensor = tensor if expanded else tensor.clone()
    expected = float(tensor.double().norm())
    assert numbers([norm(tensor)])[0] == pytest.approx(expected, rel=9e-6)
    assert numbers(norms([tensor]))[0] == pytest.approx(expected, rel=9e-6)


def test_the_plain_norm_would_be_wrong():
    tensor = spread(4_000_003, 0)
    plain = float(torch.linalg.vector_norm(tensor))
    assert plain != pytest.approx(float(tensor.double().norm()), rel=1e-5)
    assert float(torch.linalg.vector_norm(spread(9, -30))) == 0.0
