"""Sampled update norms against all entries: unbiased, and as uncertain as they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from undertow.watching.torch.updates import DRAWN, WHOLE, Updates


def measured(before: torch.Tensor, change: torch.Tensor, seed: int) -> tuple[float, float]:
    parameter = nn.Parameter(before.clone())
    updates = Updates([parameter], seed)
    updates.keep([0])
    with torch.no_grad():
        parameter += change
    found = np.full((2, 1), np.nan)
    updates.changes(found)
    return float(found[0, 0]), float(found[1, 0])


@pytest.mark.parametrize("shape", [(3,), (WHOLE,), (64, 64)])
def test_small_tensors_are_compared_whole(shape: tuple[int, ...]):
    change = torch.randn(shape, dtype=torch.float64)
    found, error = measured(torch.zeros(shape, dtype=torch.float64), change, 0)
    assert found == pytest.approx(float(change.norm()), rel=1e-12)
    assert error == 0.0


@pytest.mark.parametrize("kind", ["normal", "odd size", "rows"])
def test_large_ones_are_estimated_without_bias_and_with_an_honest_error(kind: str):
    generator = torch.Generator().manual_seed(5)
    shape = (101, 103) if kind == "odd size" else (400, 300)
    change = torch.randn(shape, generator=generator, dtype=torch.float64)
    if kind == "rows":
        change[::2] *= 0.01
    truth = float(change.norm())
    zeros = torch.zeros(shape, dtype=torch.float64)
    found, errors = np.array([measured(zeros, change, seed) for seed in range(400)]).T
    assert np.mean(found**2) == pytest.approx(truth**2, rel=0.03)
    covered = np.mean(np.abs(found - truth) < 1.96 * errors)
    assert 0.90 < covered < 0.99
    if kind != "rows":
        assert np.median(errors) / truth == pytest.approx(np.sqrt(2 / DRAWN) / 2, rel=0.15)


def test_a_change_that_none_of_the_drawn_shows_has_no_known_error():
    change = torch.zeros(400, 300)
    change[7, 3] = 1.0
    found, error = measured(torch.zeros(400, 300), change, 0)
    assert found == 0.0
    assert np.isnan(error)


def test_the_global_generator_is_left_alone():
    state = torch.get_rng_state()
    measured(torch.zeros(100, 100), torch.ones(100, 100), 0)
    assert torch.equal(torch.get_rng_state(), state)


def test_an_empty_share_changes_by_nothing():
    parameters = [nn.Parameter(torch.zeros(0, 3)), nn.Parameter(torch.zeros(2, 3))]
    updates = Updates(parameters)
    updates.keep([0, 1])
    with torch.no_grad():
        parameters[1].add_(1.0)
    found = np.full((2, 2), np.nan)
    updates.changes(found)
    assert found.tolist() == [[0.0, pytest.approx(6**0.5)], [0.0, 0.0]]
