"""First weights: from a replicate's own seed alone, and as wide as their schemes say."""

from __future__ import annotations

from functools import cache
from math import pi, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.engine.common.initial_weights import initial_weights
from undertow.engine.common.parameters import initial_parameters, split, weight_blocks
from undertow.engine.common.random_streams import STREAMS, batch_orders, generator
from undertow.spec.checked import with_changes
from undertow.spec.names import INITIALISATIONS
from undertow.spec.network import NetworkSpec

SMALL = NetworkSpec(inputs=2, outputs=3, depth=3, width=5, activation="tanh")
WIDE = NetworkSpec(inputs=300, outputs=250, depth=2, width=450, activation="tanh")
NAMES = [
    {
        "normal": "normal(0.3)",
        "scaled_normal": "scaled_normal(1.7, 0.2)",
        "centred_normal": "centred_normal(1.7)",
    }.get(name, name)
    for name in INITIALISATIONS
]
some = settings(max_examples=40, deadline=None)
many_seeds = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=6, unique=True)


@cache
def layers(name: str, seed: int = 3, **values) -> list[tuple[np.ndarray, np.ndarray]]:
    """The layers of a wide network, in float64; their shapes differ in both directions."""
    spec = with_changes(WIDE, initialisation=name, **values)
    drawn = initial_weights(spec, seed)
    assert [weights.shape for weights, _ in drawn] == [*spec.layer_shapes]
    assert {part.dtype for layer in drawn for part in layer} == {np.dtype(np.float32)}
    return [(weights.astype(np.float64), biases.astype(np.float64)) for weights, biases in drawn]


@some
@given(seeds=many_seeds, data=st.data(), name=st.sampled_from(NAMES))
def test_a_replicate_never_depends_on_its_neighbours(seeds: list[int], data, name: str) -> None:
    """Whatever the subset, whatever the order."""
    spec = with_changes(SMALL, initialisation=name, normalisation="batch")
    chosen = data.draw(st.permutations(seeds))[: data.draw(st.integers(1, len(seeds)))]
    whole = initial_parameters(spec, seeds, torch.float32)
    part = initial_parameters(spec, list(chosen), torch.float32)
    for all_of_them, some_of_them in zip(whole.leaves, part.leaves, strict=True):
        places = [seeds.index(seed) for seed in chosen]
        assert torch.equal(all_of_them[places], some_of_them)


@some
@given(seeds=many_seeds, data=st.data(), samples=st.integers(1, 60))
def test_a_batch_order_never_depends_on_its_neighbours(seeds, data, samples: int) -> None:
    chosen = data.draw(st.permutations(seeds))[: data.draw(st.integers(1, len(seeds)))]
    all_of_them, some_of_them = (
        [generator(seed, "order") for seed in group] for group in (seeds, chosen)
    )
    for _ in range(3):
        whole = batch_orders(all_of_them, samples)
        part = batch_orders(some_of_them, samples)
        np.testing.assert_array_equal(whole[[seeds.index(seed) for seed in chosen]], part)
        np.testing.assert_array_equal(
            np.sort(whole, 1), np.tile(np.arange(samples), (len(seeds), 1))
        )


def test_epochs_have_different_orders_and_seeds_different_numbers() -> None:
    orders = [generator(seed, "order") for seed in (0, 1)]
    first, second = batch_orders(orders, 200), batch_orders(orders, 200)
    assert len({row.tobytes() for row in (*first, *second)}) == 4
    weights = [initial_weights(SMALL, seed)[0][0].tobytes() for seed in range(50)]
    assert len(set(weights)) == 50


def test_streams_are_apart() -> None:
    """Of one seed, and of the seed that has the other stream's number."""
    assert STREAMS == {"weights": 0, "order": 1}
    for one, other in (((5, "weights"), (5, "order")), ((1, "weights"), (0, "order"))):
        drawn = [generator(*which).standard_normal(4000) for which in (one, other)]
        assert abs(np.mean(drawn[0] * drawn[1])) < 5 / sqrt(4000)


VARIANCES = {
    "glorot_uniform": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "glorot_normal": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he_uniform": lambda fan_in, fan_out: 2 / fan_in,
    "he_normal": lambda fan_in, fan_out: 2 / fan_in,
    "lecun_uniform": lambda fan_in, fan_out: 1 / fan_in,
    "lecun_normal": lambda fan_in, fan_out: 1 / fan_in,
    "torch_default": lambda fan_in, fan_out: 1 / (3 * fan_in),
    "orthogonal": lambda fan_in, fan_out: 1 / max(fan_in, fan_out),
    "normal(0.3)": lambda fan_in, fan_out: 0.3**2,
    "scaled_normal(1.7, 0.2)": lambda fan_in, fan_out: 1.7 / fan_in,
    "centred_normal(1.7)": lambda fan_in, fan_out: 1.7 / fan_in,
}


@pytest.mark.parametrize("name", NAMES)
def test_weights_have_the_variance_of_their_scheme(name: str) -> None:
    for weights, _ in layers(name):
        expected = VARIANCES[name](*weights.shape)
        assert weights.var() == pytest.approx(expected, rel=0.015)  # 5 standard errors
        assert abs(weights.mean()) < 5 * sqrt(expected / weights.size)


@pytest.mark.parametrize("name", NAMES)
def test_biases_are_zero_unless_the_scheme_draws_them(name: str) -> None:
    biases = [biases for _, biases in layers(name)]
    if name == "torch_default":
        for layer, (fan_in, _) in zip(biases, WIDE.layer_shapes, strict=True):
            assert 0.98 / sqrt(fan_in) < np.abs(layer).max() <= (1 + 1e-6) / sqrt(fan_in)
    elif name.startswith("scaled_normal"):
        assert np.concatenate(biases).var() == pytest.approx(0.2, rel=0.15)
    elif name.startswith("centred_normal"):
        assert not biases[0].any()
        for (weights, _), layer in zip(layers(name)[1:], biases[1:], strict=True):
            np.testing.assert_allclose(layer, -weights.sum(0) / 2, atol=1e-5)
    else:
        assert not np.concatenate(biases).any()


def test_torch_default_is_uniform_within_pytorch_bounds() -> None:
    random = torch.random.get_rng_state()
    for weights, _ in layers("torch_default"):
        bound = 1 / sqrt(weights.shape[0])
        assert 0.9999 * bound < np.abs(weights).max() <= (1 + 1e-6) * bound
        theirs = torch.nn.Linear(*weights.shape).weight.detach().abs().max().item()
        assert np.abs(weights).max() == pytest.approx(theirs, rel=1e-3)
    torch.random.set_rng_state(random)


@pytest.mark.parametrize("scheme", ["glorot", "he", "lecun"])
def test_uniform_draws_keep_to_their_bounds_and_normal_ones_are_cut(scheme: str) -> None:
    """A normal draw cut at two of its deviations has a variance of .774 of it, made up for."""
    for weights, _ in layers(f"{scheme}_uniform"):
        bound = sqrt(3 * VARIANCES[f"{scheme}_uniform"](*weights.shape))
        assert 0.9999 * bound < np.abs(weights).max() <= (1 + 1e-6) * bound
    density = np.exp(-2) / sqrt(2 * pi)
    kept = 1 - 2 * 2 * density / 0.9544997361036416
    for weights, _ in layers(f"{scheme}_normal"):
        bound = 2 * sqrt(VARIANCES[f"{scheme}_normal"](*weights.shape) / kept)
        assert 0.999 * bound < np.abs(weights).max() <= (1 + 1e-6) * bound


def test_orthogonal_weights_keep_lengths() -> None:
    for weights, _ in layers("orthogonal"):
        short = weights if weights.shape[0] >= weights.shape[1] else weights.T
        np.testing.assert_allclose(short.T @ short, np.eye(short.shape[1]), atol=1e-6)


def test_orthogonal_draws_favour_no_direction() -> None:
    """Without the correction of signs the diagonal of a QR factor has one sign."""
    spec = with_changes(SMALL, inputs=4, width=4, initialisation="orthogonal")
    first = np.array([initial_weights(spec, seed)[0][0] for seed in range(400)])
    assert np.abs(first.mean(0)).max() < 5 * 0.5 / sqrt(400)


@pytest.mark.parametrize("name", NAMES)
def test_gain_multiplies_the_weights_and_nothing_else(name: str) -> None:
    for one, three in zip(layers(name), layers(name, gain=3), strict=True):
        np.testing.assert_allclose(three[0], 3 * one[0], rtol=1e-6)
        tied = 3 if name.startswith("centred_normal") else 1  # biases that follow the weights
        np.testing.assert_allclose(three[1], tied * one[1], rtol=1e-6)


@pytest.mark.parametrize("kind", ["uniform", "normal"])
@pytest.mark.parametrize("scheme", ["he", "lecun"])
def test_schemes_that_differ_in_scale_share_their_draw(scheme: str, kind: str) -> None:
    for (glorot, _), (other, _) in zip(
        layers(f"glorot_{kind}"), layers(f"{scheme}_{kind}"), strict=True
    ):
        ratio = sqrt(
            VARIANCES[f"{scheme}_{kind}"](*glorot.shape)
            / VARIANCES[f"glorot_{kind}"](*glorot.shape)
        )
        np.testing.assert_allclose(other, ratio * glorot, rtol=1e-6)


def test_layers_of_one_network_are_drawn_apart() -> None:
    spec = with_changes(SMALL, depth=12, width=30)
    square = [weights.ravel() for weights, _ in initial_weights(spec, 0)[1:-1]]
    off_diagonal = np.corrcoef(square) - np.eye(len(square))
    assert np.abs(off_diagonal).max() < 5 / sqrt(900)


def test_the_buffer_holds_each_number_once_and_blocks_see_the_weights() -> None:
    for spec in (SMALL, with_changes(SMALL, inputs=5, outputs=5, normalisation="layer")):
        parameters = initial_parameters(spec, [4, 7], torch.float32)
        assert parameters.flat.numel() == 2 * spec.parameters
        numbered = split(torch.arange(parameters.flat.numel()).float(), spec, 2)
        seen = torch.cat([leaf.detach().flatten() for leaf in numbered.leaves])
        assert torch.equal(seen, numbered.flat)
        blocks = weight_blocks(parameters.flat, spec, 2)
        stacked = [weights for block in blocks for weights in block]
        for ours, leaf in zip(stacked, parameters.weights, strict=True):
            assert torch.equal(ours, leaf)
        for place, seed in enumerate([4, 7]):
            for leaf, (weights, _) in zip(
                parameters.weights, initial_weights(spec, seed), strict=True
            ):
                assert torch.equal(leaf[place], torch.from_numpy(weights).T)
