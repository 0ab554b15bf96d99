"""Lanes meet the samples in the order that NumPy's permutations give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.engine.common.random_streams import batch_orders, generator
from undertow.engine.lanes import sample_orders
from undertow.engine.lanes.native_library import lanes


def permutations(seeds: list[int], samples: int, epochs: int) -> list[np.ndarray]:
    generators = [generator(seed, "order") for seed in seeds]
    return [batch_orders(generators, samples) for _ in range(epochs)]


@given(
    seeds=st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=10),
    samples=st.one_of(st.integers(1, 300), st.sampled_from([1024, 1025, 5000])),
    epochs=st.integers(1, 3),
)
def test_every_epoch_is_numpys(seeds: list[int], samples: int, epochs: int) -> None:
    drawn = sample_orders.Orders(seeds)
    both = zip(
        [*drawn.epochs(samples, 1), *drawn.epochs(samples, epochs)],
        permutations(seeds, samples, 1 + epochs),
        strict=True,
    )
    for found, expected in both:
        assert (found.dtype, len(found) % lanes()) == (np.int32, 0)
        np.testing.assert_array_equal(found[: len(seeds)], expected)
        np.testing.assert_array_equal(
            found[len(seeds) :], expected[-1:].repeat(lanes(), 0)[: -len(seeds) % lanes()]
        )


def test_no_samples_are_no_order() -> None:
    assert sample_orders.Orders([1]).epochs(0, 2).shape == (2, lanes(), 0)


def test_another_seed_is_another_order() -> None:
    (expected,) = permutations([1], 50, 1)
    assert not np.array_equal(sample_orders.Orders([2]).epochs(50, 1)[0, :1], expected)


@pytest.fixture
def another_numpy(monkeypatch: pytest.MonkeyPatch):
    """A NumPy that shuffles otherwise: from the other end."""

    def reversed_orders(generators: list[np.random.Generator], samples: int) -> np.ndarray:
        return batch_orders(generators, samples)[:, ::-1]

    sample_orders.as_numpy_shuffles.cache_clear()
    monkeypatch.setattr(sample_orders, "batch_orders", reversed_orders)
    yield
    sample_orders.as_numpy_shuffles.cache_clear()


def test_a_numpy_that_shuffles_otherwise_is_asked_itself(another_numpy: None) -> None:
    assert not sample_orders.as_numpy_shuffles()
    (expected,) = permutations([5, 6], 40, 1)
    np.testing.assert_array_equal(
        sample_orders.Orders([5, 6]).epochs(40, 1)[0, :2], expected[:, ::-1]
    )
