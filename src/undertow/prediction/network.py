"""`undertow.predict`: the gradient of every layer from theory, before a single step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.errors import SpecError
from undertow.prediction.chain import Chain
from undertow.spec.network import NetworkSpec
from undertow.theory.batch.gradients import BatchGradients, RandomNetwork, batch_gradients
from undertow.theory.finite_width.output_scatter import error_scatter
from undertow.theory.finite_width.scatter import finite_width
from undertow.trace.record import Chunk, Header, Layer, Trace, build, provenance

Array = NDArray[np.float64]


def predict(
    network: Any,
    inputs: ArrayLike,
    *,
    targets: ArrayLike | None = None,
    loss: str = "cross_entropy",
) -> Trace:
    """Predict the gradient norm of every layer, over initialisations, for one batch.

    >>> import numpy as np, undertow as ut
    >>> spec = ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> inputs = np.random.default_rng(0).standard_normal((32, 2))
    >>> trace = ut.predict(spec, inputs)
    >>> np.log10(trace.to_xarray()["grad_norm"].values[0, 0]).round(1)
    array([-7.1, -6.1, -5.4, -4.8, -4.2, -3.5, -2.9, -2.3, -1.7, -1. , -0.5])

    Parameters
    ----------
    network : NetworkSpec, or a PyTorch module
        Of a module the variances are read off its parameters as they are now; `from_torch` says
        what it may be made of.
    inputs : array or tensor [batch, ...]
        What the network would be given; everything but the first dim counts as features. For a
        network that begins with a convolution, [batch, channels, height, width].
    targets : array or tensor, optional
        As in `theory.batch.gradients.batch_gradients`; left out, labels are drawn evenly at random.
    loss : str
        `cross_entropy`, `binary_cross_entropy` or `mean_squared_error`, a mean over the batch.
        With one output `cross_entropy` is the binary one.

    Returns
    -------
    Trace
        `grad_norm` and `delta_norm` are root mean squares over initialisations. Of hidden layers
        that are all alike, without normalisation, skip or convolution, `sd_dex` is the standard
        deviation of log10 grad_norm and `median_shift_dex` what its median lies above (below, if
        negative) that root mean square: what the weights do to one input (a batch scatters less,
        so that this part is wide), and what the drawn output error adds. `ratio_sd_dex` and
        `ratio_shift_dex` are the same of log10 |delta| over that of the last hidden layer, in
        which the output error cancels. The attribute `caution` says where the tails are long.

    Raises
    ------
    SpecError
        A network the theory cannot treat, naming the layer; a batch that does not fit it, or that
        is not finite.
    """
    given = _array("inputs", inputs)
    found = _chain(network, given.shape)
    rows = _rows(given, found)
    if found.widths[-1] == 1 and loss == "cross_entropy":
        loss = "binary_cross_entropy"
    targets = None if targets is None else _array("targets", targets)
    gradients = gradients_of(found, rows, targets=targets, loss=loss)
    arrays, caution = _as_arrays(found, gradients, targets, loss)
    arrays["input_rms"] = np.sqrt(np.mean(rows**2))
    header = Header(
        _layers(found),
        (0,),
        provenance(
            "predicted", batch_size=len(rows), loss=loss, dtype="float64", caution=caution or ""
        ),
    )
    first = np.ones(1, np.int64)
    return build(header, [Chunk(first, first, {name: _one(part) for name, part in arrays.items()})])


def gradients_of(found: Chain, rows: Array, **options: Any) -> BatchGradients:
    """Hand a chain and a batch [B, features] to the theory; options as in `batch_gradients`."""
    network = RandomNetwork(
        found.activations,
        found.widths,
        found.weight_variances,
        found.bias_variances,
        found.normalisations,
        found.skips,
        found.branch_scale,
        found.taken_off,
        found.readings,
    )
    return batch_gradients(network, rows @ rows.T / rows.shape[1], **options)


def _chain(network: Any, shape: tuple[int, ...]) -> Chain:
    if isinstance(network, NetworkSpec):
        from undertow.prediction.from_spec import chain

        return chain(network)
    if hasattr(network, "named_modules"):
        from undertow.prediction.from_torch import chain as read

        return read(network, shape)
    raise SpecError(
        f"network of type {type(network).__name__}: give a NetworkSpec or a PyTorch module"
    )


def _array(name: str, values: Any) -> NDArray[Any]:
    if hasattr(values, "detach"):  # a tensor; this file knows no framework
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values  # NumPy has no bfloat16
    try:
        array = np.asarray(values)
        finite = bool(np.all(np.isfinite(array)))
    except (TypeError, ValueError):
        raise SpecError(f"{name}: must be numbers, an array or a tensor [batch, ...]") from None
    if not finite:
        raise SpecError(f"{name}: has NaN or infinite entries; look at how the batch is made")
    return array


def _rows(array: NDArray[Any], found: Chain) -> Array:
    """Bring a batch into [samples, features], or [samples x positions, channels]."""
    array, features, pictures = array.astype(np.float64), found.widths[0], any(found.readings[:1])
    if array.ndim < 2 or not array.size:
        raise SpecError(f"inputs of shape {array.shape}: must be [batch, features]")
    rows = np.moveaxis(array, 1, -1).reshape(-1, array.shape[1]) if pictures else array
    rows = rows.reshape(len(rows), -1)
    if rows.shape[1] != features:
        what = "channels" if pictures else "features"
        raise SpecError(
            f"inputs of shape {array.shape}: {rows.shape[1]} {what}, and the network takes "
            f"{features}"
        )
    return rows


def _as_arrays(
    found: Chain, gradients: BatchGradients, targets: ArrayLike | None, loss: str
) -> tuple[dict[str, Any], str | None]:
    depth = len(found.activations)
    nothing = np.full(1, np.nan)  # the output layer has no activation
    normed = np.array([kind != "none" for kind in (*found.normalisations, "none")])
    arrays: dict[str, Any] = {
        "grad_norm": gradients.weight_norm,
        "delta_norm": gradients.delta_norm,
        # The theory's z goes into the norm; what comes out has a root mean square of 1.
        "preactivation_rms": np.where(normed, 1.0, gradients.preactivation_rms),
        "activation_rms": np.concatenate([gradients.activation_rms, nothing]),
        "slope_rms": np.concatenate([gradients.slope_rms, nothing]),
    }
    if gradients.forms is None or not depth or len(set(found.activations)) > 1:
        return arrays, None
    scatter = finite_width(
        found.activations[0],
        gradients.preactivation_rms[:-1] ** 2,
        found.widths[1:-1],
        found.weight_variances[1:],
        found.bias_variances[1:],
    )
    shift, sd = error_scatter(
        gradients.forms, gradients.output_kernel, found.widths[-1], targets, loss
    )
    arrays |= {
        "sd_dex": np.hypot(scatter.weight_sd_dex, sd),
        "median_shift_dex": scatter.weight_shift_dex + shift,
        "ratio_sd_dex": np.append(scatter.ratio_sd_dex, np.nan),
        "ratio_shift_dex": np.append(scatter.ratio_shift_dex, np.nan),
    }
    return arrays, scatter.caution


def _layers(found: Chain) -> tuple[Layer, ...]:
    activations = [each if isinstance(each, str) else each.name for each in found.activations]
    kinds = found.kinds or ("linear",) * len(found.names)
    readings = found.readings or (None,) * len(found.names)
    layers = []
    for place, (name, activation) in enumerate(
        zip(found.names, [*activations, "linear"], strict=True)
    ):
        taps = len(each.places) if (each := readings[place]) else 1
        fan_in, fan_out = found.widths[place] * taps, found.widths[place + 1]
        fan_out *= taps if kinds[place] == "conv" else 1
        layers.append(Layer(name, place + 1, kinds[place], activation, fan_in, fan_out))
    return tuple(layers)


def _one(array: Any) -> Array:
    """One replicate, one step."""
    return np.asarray(array)[None, None]
