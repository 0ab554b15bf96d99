"""Skips against networks drawn, run forwards and backwards by hand."""

import numpy as np
import pytest

from tests.theory.one_batch import gradients
from undertow import errors
from undertow.activations.activation import find
from undertow.theory.batch.skips import Sums

DEPTH, WIDTH, BATCH, FEATURES, OUTPUTS = 7, 200, 12, 20, 4
PUBLISHED = ((1, 3), (4, 7))
IDENTITY = tuple((layer, layer + 1) for layer in range(1, DEPTH))
CROSSED = ((1, 3), (2, 3), (1, 5), (3, 5), (2, 7), (5, 7))


def monte_carlo(name, skips, scale, networks=60, seed=3):
    """RMS over networks of |dE/dW| and |dE/dz|, the outputs' error given, [2, L + 1]."""
    phi, rng = find(name), np.random.default_rng(seed)
    x = rng.standard_normal((BATCH, FEATURES)) + 1.0
    error = rng.standard_normal((BATCH, OUTPUTS))
    widths = [FEATURES, *[WIDTH] * DEPTH, OUTPUTS]
    squares = np.zeros((2, DEPTH + 1))
    for _ in range(networks):
        reads, slopes, weights = [x], [], []
        for layer in range(DEPTH):
            rows, columns = widths[layer], widths[layer + 1]
            weights.append(np.sqrt(1.5 / rows) * rng.standard_normal((rows, columns)))
            z = reads[-1] @ weights[-1] + 0.1 * rng.standard_normal(columns)
            starts = [start for start, end in skips if end == layer + 1]
            x_ = phi.value(z) * (scale if starts else 1.0)
            slopes.append(phi.slope(z) * (scale if starts else 1.0))
            reads.append(x_ + sum(reads[start] for start in starts))
        weights.append(np.sqrt(1.5 / WIDTH) * rng.standard_normal((WIDTH, OUTPUTS)))
        delta = error / BATCH
        arrived: dict[int, np.ndarray] = {}
        for layer in reversed(range(DEPTH + 1)):
            squares[0, layer] += np.sum((reads[layer].T @ delta) ** 2)
            squares[1, layer] += np.sum(delta**2)
            if layer:
                arriving = delta @ weights[layer].T
                arriving = arriving + sum(arrived[e] for s, e in skips if s == layer)
                arrived[layer] = arriving
                delta = arriving * slopes[layer - 1]
    return x, error, np.sqrt(squares / networks)


def predicted(name, skips, scale, x, error):
    return gradients(
        name,
        x @ x.T / FEATURES,
        (FEATURES, *[WIDTH] * DEPTH, OUTPUTS),
        1.5,
        0.01,
        error_kernel=error @ error.T,
        skips=skips,
        branch_scale=scale,
    )


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize(
    ("skips", "scale"), [(PUBLISHED, 1.0), (IDENTITY, 0.5), (CROSSED, 1.0), (CROSSED, 0.7)]
)
def test_skips_against_networks(name, skips, scale):
    x, error, measured = monte_carlo(name, skips, scale)
    found = predicted(name, skips, scale, x, error)
    assert np.abs(np.log10(found.weight_norm / measured[0])).max() < 0.03
    assert np.abs(np.log10(found.delta_norm / measured[1])).max() < 0.03


def test_the_comparison_would_notice_a_skip_left_out():
    x, error, measured = monte_carlo("tanh", IDENTITY, 1.0)
    found = predicted("tanh", IDENTITY[1:], 1.0, x, error)
    assert np.abs(np.log10(found.delta_norm / measured[1])).max() > 0.03


@pytest.mark.parametrize("skips", [PUBLISHED, IDENTITY, CROSSED])
def test_what_is_forgotten_is_not_needed(skips):
    rng, uses = np.random.default_rng(0), [start for start, _ in skips]
    thrifty, hoarding = Sums(keep=uses), Sums(keep=3 * uses)
    for place in range(1, DEPTH + 1):
        own, mean = rng.standard_normal((3, 3)), rng.standard_normal(3)
        of = [start for start, end in skips if end == place]
        kept = hoarding.add(place, own, mean, of, 0.7)
        assert np.array_equal(thrifty.add(place, own, mean, of, 0.7), kept)


def test_linear_skips_in_closed_form():
    """Each block doubles what passes: x + W x has twice the second moment, there and back."""
    found = gradients(
        "linear", np.eye(1), (5, *[5] * 4, 1), 1.0, error_kernel=np.eye(1), skips=[(1, 2), (2, 3)]
    )
    assert found.preactivation_rms**2 == pytest.approx([1, 1, 2, 4, 4])
    assert found.delta_norm**2 == pytest.approx([4, 2, 1, 1, 1])


@pytest.mark.parametrize(
    ("skips", "message"),
    [
        ([(2, 2)], "skip (2, 2): it must run forward between layers 1 to 3"),
        ([(1, 4)], "skip (1, 4): it must run forward between layers 1 to 3"),
        ([(1, 3)], "skip (1, 3): layers of 5 and 6"),
    ],
)
def test_skips_that_cannot_be(skips, message):
    with pytest.raises(errors.SpecError) as caught:
        gradients("tanh", np.eye(2), (5, 5, 5, 6, 2), 1.0, skips=skips)
    assert str(caught.value) == message


def test_a_normalisation_for_each_layer():
    def of(kinds):
        return gradients("tanh", np.eye(4) + 0.2, (5, 9, 9, 2), 2.0, normalisation=kinds)

    assert np.array_equal(of("layer").delta_norm, of(["layer", "layer"]).delta_norm)
    assert of(["layer", "none"]).delta_norm[0] != of("layer").delta_norm[0]
    with pytest.raises(errors.SpecError, match="1 normalisations for 2 hidden layers"):
        of(["layer"])
