"""The chance that a ReLU network is born dead: constant whatever comes in, and without gradient.

Lu, Shin, Su, Karniadakis: Dying ReLU and initialization. Commun. Comput. Phys. 28 (2020),
doi:10.4208/cicp.OA-2020-0165. Rister, Rubin: Probabilistic bounds on neuron death in deep rectifier
networks (2020), doi:10.48550/arXiv.2007.06192.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from undertow.errors import SpecError
from undertow.theory.arguments import as_between, as_whole_numbers


def dead_at_birth(widths: Sequence[int] | int, depth: int | None = None) -> float:
    """Probability that some hidden ReLU layer is dead at initialisation, for one input.

    >>> round(dead_at_birth(10, depth=10), 6)
    0.009723
    >>> dead_at_birth([1, 1])
    0.75

    Parameters
    ----------
    widths : sequence of int, or int
        Units of each hidden layer, or of all of them.
    depth : int, optional
        Hidden layers, where `widths` is one number.

    Notes
    -----
    1 - prod (1 - 2^-n_l), exact for one input, zero biases and weights with a symmetric
    distribution: given a signal, each unit is off with chance 1/2. It is an upper bound for a set
    of inputs.
    """
    n = as_whole_numbers("widths", widths)
    if n.ndim == 0:
        if depth is None:
            raise SpecError("dead_at_birth: give a width for each layer, or one width and depth=")
        n = np.full(int(as_whole_numbers("depth", depth)), n)
    return float(-np.expm1(np.sum(np.log1p(-(2.0 ** -n.astype(np.float64))))))


def dead_at_birth_on_a_line(width: int) -> float:
    """The same for inputs of one feature, both signs, and two hidden layers of `width` units.

    >>> dead_at_birth_on_a_line(2)
    0.15625

    Notes
    -----
    4^-N (3 - 2^(1 - N)). By homogeneity the inputs +1 and -1 stand for all. One of N units is
    active on each side, K on the first and N - K on the second, and each side with an active unit
    is lost with chance 2^-N, independently.
    """
    n = int(as_whole_numbers("width", width))
    return 4.0**-n * (3.0 - 2.0 ** (1 - n))


def safe_width(depth: int, probability: float = 0.01) -> int:
    """Smallest width at which `depth` hidden layers are dead for an input no likelier than that.

    >>> safe_width(10), safe_width(100, probability=0.001)
    (10, 17)
    """
    layers, chance = (
        int(as_whole_numbers("depth", depth)),
        float(as_between("probability", probability, 0, 1)),
    )
    if not 0 < chance < 1:
        raise SpecError(f"probability = {chance:g}: must lie between 0 and 1, for example 0.01")
    width = max(1, math.floor(math.log2(layers / chance)) - 1)
    while dead_at_birth(width, layers) > chance:
        width += 1
    return width
