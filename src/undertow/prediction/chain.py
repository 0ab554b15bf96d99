"""What the theory needs to know of a network: layers in a row, what they draw, what skips them."""

from __future__ import annotations

from typing import NamedTuple

from undertow.activations.activation import Activation
from undertow.theory.batch.convolutions import Taps


class Chain(NamedTuple):
    """A feed-forward network at its birth, L hidden layers and an output layer.

    Fields
    ------
    names : of the L + 1 layers that hold weights
    widths : n_0 inputs, n_1 ... n_L hidden units, outputs; of a convolution, channels
    activations, normalisations : of the L hidden layers
    weight_variances, bias_variances : fan_in Var W and Var b of the L + 1 layers
    skips, branch_scale : as in `undertow.NetworkSpec`
    taken_off, readings : as in `theory.batch.gradients.RandomNetwork`; no reading, no convolution
    kinds : of the L + 1 layers, linear or conv; left out, all are linear
    """

    names: tuple[str, ...]
    widths: tuple[int, ...]
    activations: tuple[str | Activation, ...]
    normalisations: tuple[str, ...]
    weight_variances: tuple[float, ...]
    bias_variances: tuple[float, ...]
    skips: tuple[tuple[int, int], ...] = ()
    branch_scale: float = 1.0
    taken_off: float = 0.0
    readings: tuple[Taps | None, ...] = ()
    kinds: tuple[str, ...] = ()
