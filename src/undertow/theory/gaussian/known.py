"""Which Gaussian averages of an activation are known in closed form.

An activation says what it is; its averages over Gaussians are mathematics, and stand here. What is
not known is left to quadrature: an activation needs no line in this file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.activations.activation import Activation, named
from undertow.theory.gaussian import closed_forms, smooth_steps

Array = NDArray[np.float64]
Moments = Callable[[Array], dict[str, Any]]
Kernel = Callable[[Array, Array, Array], tuple[Array, Array]]

MOMENTS: dict[str, Moments] = {"erf": closed_forms.erf_moments}

KERNELS: dict[str, Kernel] = {
    "sigmoid": smooth_steps.sigmoid_kernel,
    "centred_sigmoid": smooth_steps.centred_sigmoid_kernel,
    "tanh": smooth_steps.tanh_kernel,
    "gelu": smooth_steps.gelu_kernel,
    "silu": smooth_steps.silu_kernel,
    "softplus": smooth_steps.softplus_kernel,
    "hard_tanh": closed_forms.hard_tanh_kernel,
    "erf": closed_forms.erf_kernel,
}


def moments_of(phi: Activation) -> Moments | None:
    """Return the moments of one unit as a function of its variance; None where none is known.

    >>> from undertow.activations.activation import find
    >>> float(moments_of(find("relu"))(np.array(1.0))["square"])
    0.5
    >>> moments_of(find("mish")) is None
    True
    """
    if phi.negative_slope is not None:
        return partial(closed_forms.two_slopes_moments, a=phi.negative_slope)
    return MOMENTS.get(phi.name) if _is_ours(phi) else None


def kernel_of(phi: Activation) -> Kernel | None:
    """Return the averages over a pair as a function of variances and correlation, or None.

    >>> from undertow.activations.activation import find
    >>> value, slope = kernel_of(find("linear"))(1.0, 1.0, np.array(0.5))
    >>> float(value), float(slope)
    (0.5, 1.0)
    """
    if phi.kernel is not None:
        return phi.kernel
    if phi.negative_slope is not None:
        return partial(closed_forms.two_slopes_kernel, a=phi.negative_slope)
    return KERNELS.get(phi.name) if _is_ours(phi) else None


def _is_ours(phi: Activation) -> bool:
    """Tell an activation of the package from one of the user's that bears its name."""
    ours = named().get(phi.name)
    return ours is not None and (ours.value, ours.slope) == (phi.value, phi.slope)
