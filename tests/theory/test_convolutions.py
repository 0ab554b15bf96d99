"""Reading and returning covariances, against sums over positions written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.theory.batch.convolutions import (
    Taps,
    average_over_taps,
    flattening_taps,
    scatter_to_taps,
)


@st.composite
def readings(draw) -> tuple[Taps, int, np.random.Generator]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    below, taps = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    pooled = rng.random((draw(st.integers(1, below)), below)) if draw(st.booleans()) else None
    inner = below if pooled is None else len(pooled)
    above = draw(st.integers(1, inner))
    # A tap reads no place twice, but padding as often as it likes.
    places = np.stack([rng.permutation(inner)[:above] for _ in range(taps)])
    places[rng.random(places.shape) < 0.2] = -1
    return Taps(below, places, pooled), draw(st.integers(1, 3)), rng


def matrices(reading: Taps, batch: int) -> list[np.ndarray]:
    """The map from what is below to what each tap reads, over samples and positions."""
    inner = reading.inputs if reading.pooled is None else len(reading.pooled)
    pooled = np.eye(inner) if reading.pooled is None else reading.pooled
    found = []
    for places in reading.places:
        chosen = np.zeros((len(places), inner))
        for out, place in enumerate(places):
            if place >= 0:
                chosen[out, place] = 1.0
        found.append(np.kron(np.eye(batch), chosen @ pooled))
    return found


@given(readings())
def test_read_and_returned_are_products_of_matrices(case):
    reading, batch, rng = case
    taps = matrices(reading, batch)
    below, above = taps[0].shape[1], taps[0].shape[0]
    kernel, delta = rng.standard_normal((below, below)), rng.standard_normal((above, above))
    expected = sum(tap @ kernel @ tap.T for tap in taps) / len(taps)
    assert average_over_taps(kernel, reading) == pytest.approx(expected, abs=1e-12)
    sent = sum(tap.T @ delta @ tap for tap in taps) / len(taps)
    assert scatter_to_taps(delta, reading) == pytest.approx(sent, abs=1e-12)


def test_without_positions_nothing_happens():
    kernel = np.arange(4.0).reshape(2, 2)
    assert average_over_taps(kernel, None) is kernel
    assert scatter_to_taps(kernel, None) is kernel


def test_a_flattened_picture_is_the_mean_over_positions_of_itself():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 7, 4))  # channels, samples, positions
    kernel = np.einsum("cap,cbq->apbq", x, x).reshape(28, 28) / 3
    features = np.moveaxis(x, 1, 0).reshape(7, -1)
    assert average_over_taps(kernel, flattening_taps(4)) == pytest.approx(
        features @ features.T / 12
    )
