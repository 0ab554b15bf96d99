"""The activations: value, slope, kinks. Their averages in closed form are theory's.

An activation is one value, `Activation`; `ACTIVATIONS` holds those that have a name. To add one,
write its value and its slope and add a line to the table at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.errors import SpecError, UnknownName

Array = NDArray[np.float64]
Elementwise = Callable[[Array], Array]

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


class Activation(NamedTuple):
    """An activation function phi, as the theory needs it.

    >>> swish = Activation("my swish", lambda z: z * sigmoid(z), lambda z: silu_slope(z))
    >>> from undertow.theory.gaussian.moments import moments
    >>> round(float(moments(swish, 1.0).slope_square), 6)
    0.379482

    Parameters
    ----------
    name : str
        For messages.
    value, slope : callable
        phi and phi', element by element on a float64 array of any shape. A wrong slope is not
        detected: every gradient below comes from it.
    kinks : tuple of float
        Pre-activations at which phi' jumps or bends. Leave one out and the quadrature loses
        digits silently, down to about three.
    largest_slope : float, optional
        sup |phi'|; found on a grid of [-50, 50] where it is left out.
    negative_slope : float, optional
        Where phi is z for z > 0 and `negative_slope` z below: such a function has closed forms.
    kernel : callable, optional
        Pair averages in closed form, as `theory.gaussian.known.kernel_of` returns them. Leave it
        out for a function of yours.
    """

    name: str
    value: Elementwise
    slope: Elementwise
    kinks: tuple[float, ...] = ()
    largest_slope: float | None = None
    negative_slope: float | None = None
    kernel: Callable[[Array, Array, Array], tuple[Array, Array]] | None = None


def find(activation: str | Activation) -> Activation:
    """Return the activation of that name; an `Activation` passes through.

    >>> find("tanh").largest_slope
    1.0
    >>> find("leaky_relu(0.2)").slope(np.array([-1.0, 1.0]))
    array([0.2, 1. ])

    Raises
    ------
    UnknownName
        No such name.
    SpecError
        Neither a name nor an `Activation`.
    """
    if isinstance(activation, Activation):
        return activation
    if not isinstance(activation, str):
        raise SpecError(
            f"activation = {activation!r}: must be a name, for example 'tanh', or "
            "Activation(name, value, slope) for a function of yours"
        )
    name, _, number = activation.partition("(")
    if name == "leaky_relu" and number.endswith(")"):
        try:
            return leaky_relu(float(number[:-1]))
        except ValueError:
            raise SpecError(
                f"activation = {activation!r}: leaky_relu takes one number; type  leaky_relu(0.2)"
            ) from None
    if activation not in ACTIVATIONS:
        raise UnknownName("activation", activation, ACTIVATIONS)
    return ACTIVATIONS[activation]


def largest_slope(activation: str | Activation) -> float:
    """Return sup |phi'|: the most that one layer's activation can pass on.

    >>> largest_slope("sigmoid")
    0.25
    """
    phi = find(activation)
    if phi.largest_slope is not None:
        return phi.largest_slope
    grid = np.linspace(-50.0, 50.0, 200_001)
    return float(np.max(np.abs(phi.slope(grid))))


def leaky_relu(negative_slope: float = 0.01) -> Activation:
    """Return z for z > 0 and `negative_slope` z below; .01 is PyTorch's default, Keras has .2, .3.

    >>> leaky_relu(0.3).name
    'leaky_relu(0.3)'
    """
    if not math.isfinite(negative_slope):
        raise SpecError(f"negative_slope = {negative_slope}: must be finite, for example 0.01")
    return Activation(
        f"leaky_relu({negative_slope:g})",
        lambda z: np.where(z > 0, z, negative_slope * z),
        lambda z: np.where(z > 0, 1.0, negative_slope),
        (0.0,),
        max(1.0, abs(negative_slope)),
        negative_slope,
    )


def erf(z: Array) -> Array:
    """Return the error function; NumPy has none, and SciPy takes half a second to import.

    >>> erf(np.array([0.0, 1.0])).round(6)
    array([0.      , 0.842701])
    """
    z = np.asarray(z, dtype=np.float64)
    if z.size > 500_000:
        from scipy.special import erf as fast_erf

        return fast_erf(z)
    return np.fromiter(map(math.erf, z.ravel().tolist()), np.float64, z.size).reshape(z.shape)


def sigmoid(z: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def sigmoid_slope(z: Array) -> Array:
    # sigmoid * (1 - sigmoid) would lose every digit where sigmoid rounds to 1.
    small = np.exp(-np.abs(z))
    return small / (1.0 + small) ** 2


def tanh_slope(z: Array) -> Array:
    return 4.0 * sigmoid_slope(2.0 * z)


def silu_slope(z: Array) -> Array:
    return sigmoid(z) * (1.0 + z * sigmoid(-z))


def elu(z: Array) -> Array:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0.0)))


def elu_slope(z: Array) -> Array:
    return np.exp(np.minimum(z, 0.0))


def selu(z: Array) -> Array:
    return SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(np.minimum(z, 0.0)))


def selu_slope(z: Array) -> Array:
    return SELU_SCALE * np.where(z > 0, 1.0, SELU_ALPHA * np.exp(np.minimum(z, 0.0)))


def gelu(z: Array) -> Array:
    return 0.5 * z * (1.0 + erf(z / math.sqrt(2.0)))


def gelu_slope(z: Array) -> Array:
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    return 0.5 * (1.0 + erf(z / math.sqrt(2.0))) + z * density


def softplus(z: Array) -> Array:
    return np.logaddexp(0.0, z)


def mish(z: Array) -> Array:
    return z * np.tanh(softplus(z))


def mish_slope(z: Array) -> Array:
    inner = softplus(z)
    return np.tanh(inner) + z * sigmoid(z) * tanh_slope(inner)


def _named(name: str, *rest: Any, **closed: Any) -> tuple[str, Activation]:
    return name, Activation(name, *rest, **closed)


# The largest slopes with twelve decimals: gelu's at sqrt 2, silu's at 2.399357, mish's at 1.490571.
ACTIVATIONS: dict[str, Activation] = dict(
    [
        _named("sigmoid", sigmoid, sigmoid_slope, (), 0.25),
        _named("tanh", np.tanh, tanh_slope, (), 1.0),
        ("relu", leaky_relu(0.0)._replace(name="relu")),
        ("leaky_relu", leaky_relu()._replace(name="leaky_relu")),
        _named("elu", elu, elu_slope, (0.0,), 1.0),
        _named("selu", selu, selu_slope, (0.0,), SELU_SCALE * SELU_ALPHA),
        _named("gelu", gelu, gelu_slope, (), 1.128904145185),
        _named(
            "silu",
            lambda z: z * sigmoid(z),
            silu_slope,
            (),
            1.099839320129,
        ),
        _named("softplus", softplus, sigmoid, (), 1.0),
        _named(
            "hard_tanh",
            lambda z: np.clip(z, -1.0, 1.0),
            lambda z: (np.abs(z) < 1.0).astype(np.float64),
            (-1.0, 1.0),
            1.0,
        ),
        ("linear", leaky_relu(1.0)._replace(name="linear", kinks=())),
        _named(
            "erf",
            erf,
            lambda z: 2.0 / math.sqrt(math.pi) * np.exp(-(z**2)),
            (),
            2.0 / math.sqrt(math.pi),
        ),
        _named(
            "softsign",
            lambda z: z / (1.0 + np.abs(z)),
            lambda z: (1.0 + np.abs(z)) ** -2.0,
            (0.0,),
            1.0,
        ),
        _named("mish", mish, mish_slope, (), 1.088498161252),
        # A sigmoid whose next layer's bias is -1/2 sum_j W_ij: exactly this function, bias-free.
        _named(
            "centred_sigmoid",
            lambda z: 0.5 * np.tanh(0.5 * z),
            sigmoid_slope,
            (),
            0.25,
        ),
    ]
)
