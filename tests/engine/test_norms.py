"""The measures of a step against slow, plain computations in float64 or in Python."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from undertow.engine.common import norms
from undertow.engine.common.activations import ACTIVATIONS
from undertow.spec.names import ACTIVATIONS as NAMES

SMALLEST, LARGEST = 2.0**-149, torch.finfo(torch.float32).max

some = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**31)
shapes = st.tuples(*(st.integers(1, n) for n in (3, 4, 6, 9)))
# 0 and the smallest and largest scales are drawn often, for there the trouble is.
scales = st.one_of(
    st.sampled_from([0.0, 1e-40, 1e-38, 1e-23, 1e19, 1e30]),
    st.floats(-40, 30).map(lambda power: 10.0**power),
)


def drawn(shape: tuple[int, ...], seed: int, scale: float) -> Tensor:
    numbers = scale * np.random.default_rng(seed).standard_normal(shape)
    return torch.from_numpy(numbers.astype(np.float32))


def close(found: Tensor, truth: Tensor) -> None:
    """Equal to 1e-6; below the smallest normal number to a few of the steps there are."""
    assert found.shape == truth.shape
    error = (found.double() - truth).abs()
    assert bool((error <= 1e-6 * truth.abs() + 8 * SMALLEST).all()), f"{found} is not {truth}"


def test_this_comparison_can_fail() -> None:
    with pytest.raises(AssertionError):
        close(torch.tensor([1.0]), torch.tensor([1.00001], dtype=torch.float64))
    with pytest.raises(AssertionError):
        close(torch.tensor([0.0]), torch.tensor([1e-40], dtype=torch.float64))


@some
@given(shape=shapes, seed=seeds, scale=scales)
def test_norms_and_means_hold_over_forty_decades(shape, seed: int, scale: float) -> None:
    block = drawn(shape, seed, scale)
    flat = block.double().flatten(2)
    close(norms.norm(block), flat.square().sum(2).sqrt())
    close(norms.rms(block), flat.square().mean(2).sqrt())
    close(norms.mean_abs(block), flat.abs().mean(2))


def test_one_layer_of_another_size_spoils_no_other() -> None:
    sizes = torch.tensor([1e-40, 1e-25, 0.0, 1.0, 1e25, 1e30])
    block = torch.ones(6, 2, 3, 4) * sizes[:, None, None, None]
    close(norms.norm(block), (sizes.double() * math.sqrt(12))[:, None].expand(6, 2))
    close(norms.rms(block), sizes.double()[:, None].expand(6, 2))
    close(norms.mean_abs(block), sizes.double()[:, None].expand(6, 2))


def test_entries_of_mixed_size_count_as_they_should() -> None:
    block = torch.tensor([[[[3e-30, 4e-30, 1e-45, 0.0]]], [[[3e25, 4e25, 1.0, 0.0]]]])
    close(norms.norm(block), torch.tensor([[5e-30], [5e25]], dtype=torch.float64))


@pytest.mark.parametrize("end", norms.SAFE_RMS)
def test_norms_hold_where_float32_sums_give_way_to_float64(end: float) -> None:
    block = drawn((81, 1, 3, 5), 0, 1.0) * (end * torch.logspace(-8, 8, 81))[:, None, None, None]
    close(norms.norm(block), block.double().flatten(2).square().sum(2).sqrt())


@pytest.mark.parametrize("shape", [(1, 1, 45, 45), (1, 1, 46, 46), (1, 1, 128, 2048)])
def test_norms_of_many_entries_lose_no_digit(shape) -> None:
    block = drawn(shape, 0, 1.0) ** 3
    close(norms.norm(block), block.double().flatten(2).square().sum(2).sqrt())


@pytest.mark.parametrize("size", [4096, 50_001])
def test_equal_entries_in_long_rows_lose_no_digit(size: int) -> None:
    block = torch.full((1, 1, 10, size), 0.3)
    close(norms.norm(block), block.double().flatten(2).square().sum(2).sqrt())


def test_the_largest_numbers_do_not_overflow() -> None:
    block = torch.full((1, 1, 4, 4), LARGEST / 8)
    close(norms.norm(block), torch.tensor([[LARGEST / 2]], dtype=torch.float64))
    close(norms.rms(block * 8), torch.tensor([[LARGEST]], dtype=torch.float64))
    close(norms.mean_abs(block * 8), torch.tensor([[LARGEST]], dtype=torch.float64))


@pytest.mark.parametrize("scale", [0.0, 1e-40, 1.0, 1e30])
@pytest.mark.parametrize("measured", [norms.norm, norms.rms, norms.mean_abs])
def test_nan_and_inf_are_kept(measured, scale: float) -> None:
    block = torch.full((1, 3, 2, 3), scale)
    block[0, 0, 1, 2] = torch.nan
    block[0, 1, 0, 0] = -torch.inf
    found = measured(block)
    assert math.isnan(found[0, 0])
    assert found[0, 1] == torch.inf
    assert math.isfinite(found[0, 2])


def test_a_norm_of_zero_is_a_gradient_of_zero() -> None:
    block = torch.zeros(2, 1, 3, 3)
    block[1, 0, 2, 2] = SMALLEST
    assert norms.norm(block).tolist() == [[0.0], [SMALLEST]]


@some
@given(shape=shapes, seed=seeds)
def test_nonfinite_entries_are_counted(shape, seed: int) -> None:
    random = np.random.default_rng(seed)
    kinds = random.choice([0.0, 1.0, 1e38, np.nan, np.inf, -np.inf], size=shape)
    block = torch.from_numpy(kinds.astype(np.float32))
    found = norms.nonfinite(block, norms.norm(block))
    for layer in range(shape[0]):
        for replicate in range(shape[1]):
            entries = kinds[layer, replicate].ravel().tolist()
            assert found[layer, replicate] == sum(not math.isfinite(entry) for entry in entries)


@some
@given(shape=shapes, seed=seeds, name=st.sampled_from(NAMES), scale=st.sampled_from([0.5, 3, 30]))
def test_saturated_and_dead_shares_against_a_loop(shape, seed: int, name: str, scale) -> None:
    activation = ACTIVATIONS[name]
    # A shift for each unit, so that some units are dead for the whole batch.
    z = drawn(shape, seed, scale) + torch.linspace(-scale, scale, shape[2])[:, None]
    slopes = activation.slope(z, activation.function(z))
    saturated, dead = norms.unit_shares(activation, slopes.clone())
    for layer in range(shape[0]):
        for replicate in range(shape[1]):
            units = slopes[layer, replicate].tolist()
            few = sum(abs(slope) < 0.05 * activation.steepest for unit in units for slope in unit)
            none = sum(all(slope == 0 for slope in unit) for unit in units)
            assert saturated[layer, replicate].item() == pytest.approx(few / (shape[2] * shape[3]))
            assert dead[layer, replicate].item() == pytest.approx(none / shape[2])


def test_a_unit_with_one_live_sample_is_not_dead() -> None:
    slopes = torch.zeros(1, 1, 2, 5)
    slopes[0, 0, 1, 4] = 1.0
    saturated, dead = norms.unit_shares(ACTIVATIONS["relu"], slopes)
    assert saturated.item() == pytest.approx(0.9)
    assert dead.item() == 0.5


def distinct_by_all_pairs(block: Tensor) -> list[list[float]]:
    """Compare every unit with every other one."""
    shares = []
    for layer in block.tolist():
        shares.append([])
        for matrix in layer:
            units = list(zip(*matrix, strict=True))
            equal = set()
            for (one, mine), (other, yours) in combinations(enumerate(units), 2):
                if mine == yours:
                    equal |= {one, other}
            shares[-1].append(1 - len(equal) / len(units))
    return shares


@some
@given(
    fan_in=st.integers(1, 40),
    units=st.integers(1, 24),
    kinds=st.integers(1, 24),
    seed=seeds,
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_distinct_units_against_all_pairs(
    fan_in: int, units: int, kinds: int, seed: int, dtype: type
) -> None:
    random = np.random.default_rng(seed)
    pool = random.standard_normal((fan_in, kinds)).astype(dtype)
    columns = random.integers(kinds, size=(2, 3, units))
    block = torch.from_numpy(np.ascontiguousarray(np.moveaxis(pool[:, columns], 0, 2)))
    np.testing.assert_allclose(
        norms.distinct_units(block).tolist(), distinct_by_all_pairs(block), atol=1e-6
    )


@pytest.mark.parametrize("fan_in", [1, 2, 5, 6, 10, 33, 64, 130])
def test_equal_units_are_equal_at_every_width(fan_in: int) -> None:
    """Vector registers hold 4 to 16 numbers: the last columns of a matrix take another path."""
    random = torch.Generator().manual_seed(fan_in)
    for width in range(2, 131):
        unit = torch.randn(fan_in, 1, generator=random)
        block = unit.expand(fan_in, width).contiguous()[None, None]
        assert norms.distinct_units(block).item() == 0
        block[0, 0, -1, -1] += 1e-6
        expected = (1 if width > 2 else 2) / width
        assert norms.distinct_units(block).item() == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_numbers_and_lone_bits_make_no_false_equals(dtype: torch.dtype) -> None:
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=dtype)] * 10).T
    powers = torch.cartesian_prod(*[2.0 ** torch.arange(-3, 3, dtype=dtype)] * 4).T
    for units in (signs, powers):
        assert norms.distinct_units(units.contiguous()[None, None]).item() == 1
    near = torch.ones(3, 40, dtype=dtype)
    near[2] = 1 + torch.arange(40, dtype=dtype) * torch.finfo(dtype).eps
    assert norms.distinct_units(near[None, None]).item() == 1
    small = torch.tensor([[1.0, 1.0], [1e-20, 2e-20]], dtype=dtype)
    assert norms.distinct_units(small[None, None]).item() == 1


def test_zeros_of_both_signs_are_equal_and_nan_equals_nothing() -> None:
    assert norms.distinct_units(torch.tensor([[[[0.0, -0.0]]]])).item() == 0
    assert norms.distinct_units(torch.tensor([[[[torch.nan, torch.nan]]]])).item() == 1


@pytest.mark.parametrize("name", NAMES)
def test_slopes_are_the_derivative(name: str) -> None:
    """In float64 against autograd, and in float32 against float64."""
    activation = ACTIVATIONS[name]
    z = torch.linspace(-30, 30, 60_002, dtype=torch.float64).requires_grad_()
    x = activation.function(z)
    (truth,) = torch.autograd.grad(x.sum(), z)
    found = activation.slope(z.detach(), x.detach())
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, truth, rtol=0, atol=1e-8 if name == "softplus" else 1e-15)
    single = z.detach().float()
    slopes = activation.slope(single, activation.function(single))
    assert slopes.dtype == torch.float32
    inside = (z.detach().abs() - 1).abs() > 1e-5  # float32 cannot tell the sides of hard tanh
    torch.testing.assert_close(slopes[inside].double(), truth[inside], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["elu", "selu"])
def test_a_slope_that_autograd_still_passes_on_is_not_zero(name: str) -> None:
    activation = ACTIVATIONS[name]
    z = torch.tensor([-20.0, -60.0], requires_grad=True)
    x = activation.function(z)
    (truth,) = torch.autograd.grad(x.sum(), z)
    slopes = activation.slope(z.detach(), x.detach())
    assert bool((truth > 0).all())
    torch.testing.assert_close(slopes, truth, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_steepest_is_the_largest_slope(name: str) -> None:
    """Found on a fine grid, and again around its best point."""
    activation = ACTIVATIONS[name]
    z = torch.cat([torch.linspace(-40, 40, 80_001), torch.tensor([-1e-9, 1e-9])]).double()
    for width in (1e-3, 1e-6):
        best = z[activation.slope(z, activation.function(z)).abs().argmax()]
        z = torch.cat([z, best + torch.linspace(-width, width, 2_001, dtype=torch.float64)])
    found = activation.slope(z, activation.function(z)).abs().max().item()
    assert activation.steepest == pytest.approx(found, abs=1e-8)


def test_every_activation_of_the_specification_is_there() -> None:
    assert tuple(ACTIVATIONS) == NAMES
