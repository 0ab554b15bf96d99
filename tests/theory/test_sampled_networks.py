"""Draws without a matrix against networks with matrices."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from undertow.activations.activation import find
from undertow.theory.finite_width.sampled_networks import sample_networks
from undertow.theory.finite_width.scatter import finite_width
from undertow.theory.gaussian.moments import moments
from undertow.theory.signal.maps import variance_profile

NETWORKS = 3_000


def networks(name, widths, sw2, sb2, q):
    """Ln |delta^l|^2 and ln |x^l|^2, less what infinitely wide networks have, by matrices."""
    phi, at = find(name), moments(name, q)
    rng = np.random.default_rng(1)
    zs, xs, ws = [], [], []
    z = np.sqrt(q[0]) * rng.standard_normal((NETWORKS, widths[0]))
    for layer, width in enumerate(widths):
        zs.append(z)
        xs.append(phi.value(z))
        if layer < len(widths) - 1:
            scale = np.sqrt(sw2[layer] / width)
            ws.append(scale * rng.standard_normal((NETWORKS, widths[layer + 1], width)))
            z = np.einsum("roi,ri->ro", ws[-1], xs[-1])
            z = z + np.sqrt(sb2[layer]) * rng.standard_normal(z.shape)
    arriving = rng.standard_normal(zs[-1].shape)
    expected = widths[-1] * at.slope_square[-1]
    deltas = np.empty((2, NETWORKS, len(widths)))
    for layer in reversed(range(len(widths))):
        delta = phi.slope(zs[layer]) * arriving
        deltas[0, :, layer] = np.log(np.sum(delta**2, 1) / expected)
        deltas[1, :, layer] = np.log(np.mean(xs[layer] ** 2, 1) / at.square[layer])
        if layer:
            arriving = np.einsum("roi,ro->ri", ws[layer - 1], delta)
            expected = expected * sw2[layer - 1] * at.slope_square[layer - 1]
    return deltas


CASES = {
    "gelu": ("gelu", [10] * 6, 2.0, 0.0),
    "tanh with biases": ("tanh", [8] * 5, 1.3, 0.2),
    "widths that differ": ("selu", [6, 20, 9, 12], 1.0, 0.05),
    "sigmoid": ("sigmoid", [10] * 5, 1.0, 0.0),
}


@pytest.fixture(params=CASES, ids=CASES)
def both(request):
    name, widths, weight, bias = CASES[request.param]
    depth = len(widths)
    sw2, sb2 = np.full(depth, weight), np.full(depth, bias)
    q, _ = variance_profile(name, depth, weight, bias, start=1.5)
    drawn = sample_networks(find(name), moments(name, q), q, np.array(widths), sw2, sb2)
    return drawn, networks(name, widths, sw2, sb2, q)


def test_distributions_are_those_of_networks(both):
    for mine, theirs in zip(*both, strict=True):
        for layer in range(mine.shape[1]):
            assert ks_2samp(mine[:, layer], theirs[:, layer]).pvalue > 1e-4, layer
    ratio = [deltas[:, 0] - deltas[:, -1] for deltas, _ in both]
    assert ks_2samp(*ratio).pvalue > 1e-4


def test_this_comparison_can_fail(both):
    (mine, _), (theirs, _) = both
    assert ks_2samp(mine[:, 0] + 0.3, theirs[:, 0]).pvalue < 1e-4


def test_a_band_of_twice_its_sd_holds_95_of_100():
    q, _ = variance_profile("gelu", 10, 2.0, start=0.8)
    found = finite_width("gelu", q, 50, 2.0)
    theirs, _ = networks("gelu", [50] * 10, np.full(10, 2.0), np.zeros(10), q)
    off = (theirs[:, 0] - theirs[:, -1]) / (2 * np.log(10)) - found.ratio_shift_dex[0]
    assert 0.93 < np.mean(np.abs(off) < 2 * found.ratio_sd_dex[0]) < 0.98
    first_order = finite_width("gelu", q, 50, 2.0, drawn=False)
    off += found.ratio_shift_dex[0] - first_order.ratio_shift_dex[0]
    assert np.mean(np.abs(off) < 2 * first_order.ratio_sd_dex[0]) < 0.93


def test_dead_networks_are_left_out():
    q = np.ones(4)
    drawn, _ = sample_networks(find("relu"), moments("relu", q), q, np.full(4, 2), 2 * q, 0 * q)
    assert len(drawn) == pytest.approx(2_000 * 0.75**4, rel=0.1)
    assert np.isfinite(drawn).all()


def test_where_nearly_all_are_dead_the_first_order_stays_and_is_said():
    found = finite_width("tanh", np.full(3, 1e20), 10, 2.0)
    assert np.isfinite(found.ratio_sd_dex).all()
    assert found.caution.startswith("nearly all such networks are dead")
