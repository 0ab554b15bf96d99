"""Dead at birth: closed forms against networks drawn."""

import numpy as np
import pytest

from undertow import errors
from undertow.theory.signal.dying_relu import dead_at_birth, dead_at_birth_on_a_line, safe_width


def dead_share(inputs, widths, networks, seed=9):
    """Share of networks in which every input in [S, d] is cut off by some hidden layer."""
    rng = np.random.default_rng(seed)
    x = np.broadcast_to(inputs, (networks, *inputs.shape))
    for width in widths:
        w = rng.standard_normal((networks, x.shape[-1], width))
        x = np.maximum(x @ w, 0)
        x = x / np.maximum(np.max(x, axis=(1, 2), keepdims=True), 1e-300)
    return np.mean(np.all(x == 0, axis=(1, 2)))


@pytest.mark.parametrize(
    ("width", "depth", "printed"),
    [(2, 9, 0.9249), (3, 9, 0.6993), (4, 9, 0.4406), (5, 9, 0.2485), (8, 49, 0.1745)],
)
def test_one_input(width, depth, printed):
    chance, networks = dead_at_birth(width, depth), 20_000
    assert chance == pytest.approx(printed, abs=1e-4)
    error = np.sqrt(chance * (1 - chance) / networks)
    measured = dead_share(np.ones((1, 3)), [width] * depth, networks)
    assert measured == pytest.approx(chance, abs=3 * error)


@pytest.mark.parametrize(("width", "exact"), [(2, 0.15625), (3, 0.042969), (4, 0.011230)])
def test_inputs_of_one_feature(width, exact):
    chance, networks = dead_at_birth_on_a_line(width), 40_000
    assert chance == pytest.approx(exact, abs=1e-6)
    error = np.sqrt(chance * (1 - chance) / networks)
    measured = dead_share(np.array([[1.0], [-1.0]]), [width, width], networks)
    assert measured == pytest.approx(chance, abs=3 * error)


def test_more_inputs_are_less_likely_to_all_die():
    x = np.random.default_rng(0).standard_normal((20, 10))
    assert dead_share(x, [4] * 9, 4000) < dead_at_birth(4, 9) - 0.1


def test_widths_of_their_own():
    assert dead_at_birth([1, 2]) == pytest.approx(1 - 0.5 * 0.75)
    assert dead_at_birth([1000] * 10) == pytest.approx(10 * 2.0**-1000, rel=1e-9)


@pytest.mark.parametrize(("depth", "chance"), [(10, 0.01), (50, 0.001), (1, 0.4)])
def test_the_safe_width_is_the_smallest(depth, chance):
    width = safe_width(depth, chance)
    assert dead_at_birth(width, depth) <= chance
    assert width == 1 or dead_at_birth(width - 1, depth) > chance
    assert width <= np.ceil(np.log2(depth / chance)) + 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: dead_at_birth(10),
            "dead_at_birth: give a width for each layer, or one width and depth=",
        ),
        (
            lambda: dead_at_birth([10, 0]),
            "widths = [10, 0]: must be whole numbers of 1 or more, for example 10",
        ),
        (
            lambda: safe_width(10, 0.0),
            "probability = 0: must lie between 0 and 1, for example 0.01",
        ),
    ],
)
def test_bad_arguments_get_one_line(call, message):
    with pytest.raises(errors.SpecError) as caught:
        call()
    assert str(caught.value) == message
