"""The gradient norm of every layer of a fully connected network, before training, for one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.activations.activation import Activation, find
from undertow.errors import SpecError
from undertow.theory.arguments import as_whole_numbers, at_least_zero
from undertow.theory.batch.convolutions import Taps, average_over_taps, scatter_to_taps
from undertow.theory.batch.normalised_kernels import (
    Directions,
    directions,
    normalised_delta,
    normalised_kernel,
)
from undertow.theory.batch.output_errors import output_error
from undertow.theory.batch.skips import Sums
from undertow.theory.gaussian.kernels import TOLERANCE, covariance, kernel_maps

Array = NDArray[np.float64]


class RandomNetwork(NamedTuple):
    """A network by the distribution of its weights, which need not be drawn.

    >>> RandomNetwork("tanh", widths=(2, 50, 50, 1), weight_variance=1.0).normalisation
    'none'

    Fields
    ------
    activation : str, Activation, or one for each hidden layer
    widths : sequence of L + 2 int
        n_0 inputs, n_1 ... n_L hidden units, outputs; of a convolution, channels.
    weight_variance, bias_variance : float, or array [L + 1]
        fan_in Var W_ij and Var b of each layer, the output layer last.
    normalisation : str, or one for each hidden layer
        `none`, `batch`, `layer` or `tensor`, between each hidden layer and its activation. z is
        what goes into the norm. See `normalised_kernels`.
    skips : sequence of (int, int)
        (a, b): what the layer above hidden layer a reads is added to what hidden layer b puts out,
        both of one width, counted from 1. See `skips`.
    branch_scale : float
        A hidden layer at which skips end has its own activation multiplied by it.
    taken_off : float
        phi is an activation less this number, which the biases above take off again: the weights
        there still multiply the activation itself. 1/2 for a mean-centred sigmoid.
    readings : sequence of Taps or None, L + 1, optional
        How each layer reads the positions below, of convolutions and what follows them.
    """

    activation: str | Activation | Sequence[str | Activation]
    widths: Sequence[int]
    weight_variance: ArrayLike
    bias_variance: ArrayLike = 0.0
    normalisation: str | Sequence[str] = "none"
    skips: Sequence[tuple[int, int]] = ()
    branch_scale: float = 1.0
    taken_off: float = 0.0
    readings: Sequence[Taps | None] | None = None


class BatchGradients(NamedTuple):
    """What `batch_gradients` predicts: root mean squares over initialisations, layers 1 to L + 1.

    >>> net = RandomNetwork("sigmoid", (2, 10, 10, 10, 2), weight_variance=1.0)
    >>> found = batch_gradients(net, [[1.0]])
    >>> (found.delta_norm[:-2] / found.delta_norm[1:-1]).round(2)  # what a layer leaves of delta
    array([0.21, 0.23])

    Fields
    ------
    weight_norm, bias_norm : array [L + 1]
        Frobenius norm of dE/dW and dE/db, for the loss averaged over the batch.
    delta_norm : array [L + 1]
        Frobenius norm of dE/dz over the whole batch, [B, n_l] and positions, same loss.
    preactivation_rms : array [L + 1]
        Of z, over units and samples.
    activation_rms, slope_rms : array [L]
        Of phi(z) and phi'(z), over units and samples.
    error : float
        Largest estimated error of any layer's kernel maps, relative.
    forms : tuple of array [B, B], or None
        M of each layer: its squared weight norm is sum_ab M_ab e_a . e_b for the errors e of the
        batch, as `error_scatter` takes it. None with a normalisation, skips or positions.
    output_kernel : array [B, B]
        Covariance of one output over the batch.
    """

    weight_norm: Array
    bias_norm: Array
    delta_norm: Array
    preactivation_rms: Array
    activation_rms: Array
    slope_rms: Array
    error: float
    forms: tuple[Array, ...] | None
    output_kernel: Array


def batch_gradients(
    network: RandomNetwork,
    input_kernel: ArrayLike,
    *,
    targets: ArrayLike | None = None,
    loss: str = "cross_entropy",
    error_kernel: ArrayLike | None = None,
    samples: int = 1000,
    tolerance: float = TOLERANCE,
) -> BatchGradients:
    """Predict the gradient norms of one batch from its kernel, with no free parameter.

    >>> x = np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.5]])
    >>> network = RandomNetwork("tanh", widths=(2, 50, 50, 1), weight_variance=1.0)
    >>> found = batch_gradients(
    ...     network, x @ x.T / 2, targets=[0, 1, 1], loss="binary_cross_entropy")
    >>> found.weight_norm.round(3)
    array([0.209, 0.994, 0.971])

    Parameters
    ----------
    network : RandomNetwork
    input_kernel : array [B, B]
        K0_ab = x_a . x_b / n_0. Where the first layer is a convolution, B counts samples times
        positions, the positions of a sample side by side, and n_0 the channels.
    targets : array [B] or [B, outputs], optional
        Class numbers (cross_entropy), 0 and 1 (binary_cross_entropy), or numbers
        (mean_squared_error). Left out, labels are taken as drawn evenly at random.
    loss : str
        `cross_entropy`, `binary_cross_entropy` or `mean_squared_error`.
    error_kernel : array [B, B], optional
        E[e_a . e_b] for e = d(loss of one sample)/d(outputs); then targets and loss are not used.
    samples : int
        Draws of the outputs for cross_entropy; the other losses need none.
    tolerance : float
        As in `kernels.kernel_maps`.

    Returns
    -------
    BatchGradients

    Raises
    ------
    SpecError
        Shapes that do not fit, a negative or non-finite variance, an unknown loss or activation.

    Notes
    -----
    Forward, with Q^l = sw2 K^(l-1) + sb2 the covariance of a unit's pre-activations over the batch,
    K^l = E phi phi and D^l = E phi' phi' at Q^l. Backward, with E the error kernel,
    Delta^l = sw2^(l+1) Delta^(l+1) o D^l from Delta^(L+1) = E on, where o multiplies entry by entry
    and Delta_ab = E[delta_a . delta_b] sums over units (total norms obey fan_in).
    What a skip adds correlates with what it is added to; `skips` keeps the account. Convolutions
    read and return covariances between positions, which are as samples then; see `convolutions`.
    Then E|dE/dW^l|^2 = B^-2 sum_ab Delta^l_ab fan_in K^(l-1)_ab and E|dE/db^l|^2 = B^-2 sum_ab
    Delta^l_ab. Weights met on the way back count as independent of those on the way forward, which
    is exact as widths grow; `finite_width` says how far a narrow network strays.
    Schoenholz et al. (2017), doi:10.48550/arXiv.1611.01232; Yang: Tensor programs III (2020),
    doi:10.48550/arXiv.2009.10685.
    """
    net = _checked(network)
    forward = _forward(net, covariance(input_kernel), tolerance)
    if error_kernel is None:
        outputs = int(net.widths[-1])
        delta = output_error(forward.logits, outputs, targets, loss, samples=samples)
    else:
        delta = covariance(error_kernel)
        if delta.shape != forward.logits.shape:
            raise SpecError(f"error_kernel of shape {delta.shape}: must be {forward.logits.shape}")
    norms = _backward(net, forward, delta)
    return BatchGradients(
        weight_norm=norms[0],
        bias_norm=norms[1],
        delta_norm=norms[2],
        preactivation_rms=_rms([*forward.preactivations, forward.logits]),
        activation_rms=_rms(forward.activations),
        slope_rms=_rms(forward.slopes),
        error=forward.error,
        forms=_forms(net, forward) if _is_plain(net) else None,
        output_kernel=forward.logits,
    )


class _Network(NamedTuple):
    """A `RandomNetwork`, checked, with an entry a layer."""

    widths: NDArray[np.int64]
    activations: list[Activation]
    weight: Array
    bias: Array
    norms: list[str]
    skips: dict[int, list[int]]  # where they end -> where they start
    readings: list[Taps | None]
    branch_scale: float
    taken_off: float

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.widths) - 2

    def scale(self, layer: int) -> float:
        """By what a layer's own activation is multiplied before a skip is added to it."""
        return self.branch_scale if self.skips.get(layer) else 1.0


class _Forward(NamedTuple):
    """What the pass forward leaves of each hidden layer: covariances over the batch.

    `reads` has what each layer reads, the output layer too; `directions` what the norms turn.
    """

    preactivations: list[Array]
    directions: list[Directions | None]
    activations: list[Array]
    slopes: list[Array]
    reads: list[Array]
    logits: Array
    error: float


def _forward(net: _Network, value: Array, tolerance: float) -> _Forward:
    sums = Sums(keep=[start for starts in net.skips.values() for start in starts])
    found = _Forward([], [], [], [], [average_over_taps(value, net.readings[0])], value, 0.0)
    error = 0.0
    for layer in range(net.depth):
        pre = net.weight[layer] * average_over_taps(value, net.readings[layer]) + net.bias[layer]
        found.preactivations.append(pre)
        found.directions.append(directions(pre, net.norms[layer]))
        normed = normalised_kernel(pre, net.norms[layer], found.directions[-1])
        maps = kernel_maps(net.activations[layer], normed, tolerance)
        here = layer + 1
        value = sums.add(here, maps.value, maps.mean, net.skips.get(here, ()), net.scale(here))
        restored = _restore_mean(maps.mean, net.taken_off)
        found.activations.append(maps.value + restored)
        found.reads.append(average_over_taps(value + restored, net.readings[here]))
        found.slopes.append(maps.slope)
        error = max(error, maps.error)
    logits = net.weight[-1] * average_over_taps(value, net.readings[-1]) + net.bias[-1]
    return found._replace(logits=logits, error=error)


def _backward(net: _Network, forward: _Forward, delta: Array) -> Array:
    """Norms of weight gradients, bias gradients and deltas, [3, L + 1]."""
    batch = len(forward.logits)
    starts = _starts(net.skips)
    sums = Sums(keep=[end for end, of in net.skips.items() for _ in of])
    norms = np.empty((3, net.depth + 1))
    for layer in reversed(range(net.depth + 1)):
        reading = net.readings[layer]
        fan_in = net.widths[layer] * (len(reading.places) if reading else 1)
        squares = (fan_in * np.sum(delta * forward.reads[layer]), np.sum(delta), np.trace(delta))
        norms[:, layer] = np.sqrt(np.maximum(squares, 0.0)) / batch
        if layer:
            below = layer - 1
            own = net.weight[layer] * scatter_to_taps(delta, reading)
            arriving = sums.add(layer, own, np.zeros(len(own)), starts.get(layer, ()))
            arriving = net.scale(layer) ** 2 * arriving
            delta = normalised_delta(
                arriving * forward.slopes[below],
                forward.preactivations[below],
                net.norms[below],
                int(net.widths[layer]),
                activation=net.activations[below],
                arriving=arriving,
                found=forward.directions[below],
            )
    return norms


def _is_plain(net: _Network) -> bool:
    return not net.skips and set(net.norms) <= {"none"} and not any(net.readings)


def _forms(net: _Network, forward: _Forward) -> tuple[Array, ...]:
    """Return what the errors of the batch are weighed by in each layer's squared norm."""
    batch = len(forward.logits)
    carried, forms = np.ones_like(forward.logits), []
    for layer in reversed(range(net.depth + 1)):
        forms.append(net.widths[layer] / batch**2 * carried * forward.reads[layer])
        if layer:
            carried = net.weight[layer] * carried * forward.slopes[layer - 1]
    return tuple(reversed(forms))


def _checked(network: RandomNetwork) -> _Network:
    widths = _widths(network.widths)
    depth = len(widths) - 2
    return _Network(
        widths,
        _activations(network.activation, depth),
        _each_layer("weight_variance", network.weight_variance, depth + 1),
        _each_layer("bias_variance", network.bias_variance, depth + 1),
        _normalisations(network.normalisation, depth),
        _ends(network.skips, widths, depth),
        list(network.readings or [None] * (depth + 1)),
        network.branch_scale,
        network.taken_off,
    )


def _rms(kernels: list[Array]) -> Array:
    return np.array([np.sqrt(np.mean(np.diagonal(kernel))) for kernel in kernels])


def _widths(widths: Sequence[int]) -> NDArray[np.int64]:
    checked = as_whole_numbers("widths", widths)
    if checked.ndim != 1 or checked.size < 2:
        raise SpecError(f"widths = {widths!r}: must be inputs, hidden ..., outputs: (2, 10, 10, 1)")
    return checked


def _activations(
    activation: str | Activation | Sequence[str | Activation], depth: int
) -> list[Activation]:
    if isinstance(activation, (str, Activation)):
        return [find(activation)] * depth
    if len(activation) != depth:
        raise SpecError(f"{len(activation)} activations for {depth} hidden layers: give one each")
    return [find(one) for one in activation]


def _restore_mean(mean: Array, taken_off: float) -> Array:
    """What E x x gains when a number is added to x again."""
    return taken_off * (mean[:, None] + mean) + taken_off**2


def _normalisations(normalisation: str | Sequence[str], depth: int) -> list[str]:
    if isinstance(normalisation, str):
        return [normalisation] * depth
    if len(normalisation) != depth:
        raise SpecError(f"{len(normalisation)} normalisations for {depth} hidden layers")
    return list(normalisation)


def _ends(
    skips: Sequence[tuple[int, int]], widths: NDArray[np.int64], depth: int
) -> dict[int, list[int]]:
    """Layers at which skips end, with those where they start."""
    ends: dict[int, list[int]] = {}
    for start, end in skips:
        if not 1 <= start < end <= depth:
            raise SpecError(
                f"skip ({start}, {end}): it must run forward between layers 1 to {depth}"
            )
        if widths[start] != widths[end]:
            raise SpecError(f"skip ({start}, {end}): layers of {widths[start]} and {widths[end]}")
        ends.setdefault(end, []).append(start)
    return ends


def _starts(ends: dict[int, list[int]]) -> dict[int, list[int]]:
    starts: dict[int, list[int]] = {}
    for end, of in ends.items():
        for start in of:
            starts.setdefault(start, []).append(end)
    return starts


def _each_layer(name: str, value: ArrayLike, layers: int) -> Array:
    array = at_least_zero(name, value)
    if array.ndim > 1 or array.size not in (1, layers):
        raise SpecError(f"{name}: {array.size} values for {layers} layers; give one, or one each")
    return np.broadcast_to(array.ravel() if array.ndim else array, (layers,))
