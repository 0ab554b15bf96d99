"""What an activation is, and those that have a name. Their averages in closed form are theory's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.errors import SpecError, UnknownName

Array = NDArray[np.float64]
Elementwise = Callable[[Array], Array]

BOTH = ("below", "above")


class Activation(NamedTuple):
    """An activation function phi: all that is said of it stands in its one file.

    >>> swish = Activation("my swish", find("silu").value, find("silu").slope)
    >>> from undertow.theory.gaussian.moments import moments
    >>> round(float(moments(swish, 1.0).slope_square), 6)
    0.379482

    Parameters
    ----------
    name : str
        As a specification and a trace name it.
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
    flat : tuple of str
        The ends at which it levels off, of "below" and "above". One that is flat at both ends is
        said to saturate there.
    may_die : bool
        Whether a unit's slope may be exactly 0 for every sample of a batch, other than by
        saturation.
    with_number : callable, optional
        Returns the same function with the number that a name has in brackets: leaky_relu(0.2).
    torch, keras, jax : tuple of str
        What it is called there: its classes, functions and methods.
    in_networks : bool
        Whether a network of the laboratory may have it; the rest is theory's.
    place : int
        Where it stands in lists; one without a place of its own comes last.
    """

    name: str
    value: Elementwise
    slope: Elementwise
    kinks: tuple[float, ...] = ()
    largest_slope: float | None = None
    negative_slope: float | None = None
    kernel: Callable[[Array, Array, Array], tuple[Array, Array]] | None = None
    flat: tuple[str, ...] = ()
    may_die: bool = True
    with_number: Callable[[float], Activation] | None = None
    torch: tuple[str, ...] = ()
    keras: tuple[str, ...] = ()
    jax: tuple[str, ...] = ()
    in_networks: bool = True
    place: int = 100


@cache
def named() -> dict[str, Activation]:
    """Return the activations that have a name: every module of this room with an ACTIVATION.

    >>> list(named())[:3]
    ['sigmoid', 'tanh', 'relu']
    """
    here = Path(__file__)
    modules = [each.name for each in iter_modules([str(here.parent)]) if each.name != here.stem]
    # Looked for when they are first asked for, because each of them imports this file.
    found = [import_module(f"{__package__}.{name}").ACTIVATION for name in modules]
    return {each.name: each for each in sorted(found, key=lambda each: (each.place, each.name))}


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
    if activation in named():
        return named()[activation]
    name, _, number = activation.partition("(")
    known = named().get(name)
    if known is None or known.with_number is None or not number.endswith(")"):
        raise UnknownName("activation", activation, named())
    try:
        return known.with_number(float(number[:-1]))
    except ValueError:
        raise SpecError(
            f"activation = {activation!r}: {name} takes one number; type  {name}(0.2)"
        ) from None


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
