"""What is read off a trace, one number a replicate."""

from __future__ import annotations

import numpy as np

from undertow.statistics import bands
from undertow.statistics.bands import decades_between
from undertow.statistics.stuck import stuck
from undertow.trace.record import Trace
from undertow.trace.schema import DIMS


def total_dex(trace: Trace, place: int = 0) -> np.ndarray:
    """log10 |delta_1| - log10 |delta_L|, L the last hidden layer, at one recorded step; [R].

    >>> import undertow as ut
    >>> net = ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> total_dex(ut.predict(net, np.eye(2))).round(1)
    array([-5.6])
    """
    delta = values(trace, "delta_norm")[:, place]
    return decades_between(delta[:, 0], delta[:, last_hidden(trace)])


def transitions(trace: Trace) -> int:
    """How many layers a gradient crosses from the last hidden layer to the first.

    >>> import undertow as ut
    >>> net = ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> transitions(ut.predict(net, np.eye(2)))
    9
    """
    return last_hidden(trace)


def last_hidden(trace: Trace, name: str = "delta_norm") -> int:
    """Place of the last hidden layer of which a variable is known; the output comes after it.

    >>> import xarray
    >>> delta = [[[0.1, 0.2, 0.3, np.nan]]]  # the last row is of a layer that nothing reached
    >>> data = xarray.Dataset({"delta_norm": (("replicate", "step", "layer"), delta)})
    >>> last_hidden(Trace(data))
    1
    """
    if name in trace.dataset:
        known = np.flatnonzero(~np.isnan(values(trace, name)).all((0, 1)))
        if len(known) > 1:
            return int(known[-2])
    return trace.dataset.sizes["layer"] - 2


def first_gradient(trace: Trace) -> np.ndarray:
    """|dE/dW| of layer 1 at step 1; [R].

    >>> import undertow as ut
    >>> net = ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> np.log10(first_gradient(ut.predict(net, np.eye(2)))).round(1)
    array([-6.6])
    """
    return values(trace, "grad_norm")[:, 0, 0]


def percent_change(trace: Trace) -> np.ndarray:
    """Mean |100 (W_end - W_start) / W_start| of layer 1: the published stand-in for a gradient.

    >>> import xarray
    >>> change = np.array([[12.0, 80.0], [0.03, 0.2]])  # in percent, absolute; of two replicates
    >>> percent_change(Trace(xarray.Dataset(), artefacts={"first_layer_change": change}))
    array([12., 80.])
    """
    return trace.artefacts["first_layer_change"][0]


def absolute_change(trace: Trace) -> np.ndarray:
    """Mean |W_end - W_start| of layer 1; [R].

    >>> import xarray
    >>> change = np.array([[12.0, 80.0], [0.03, 0.2]])  # in percent, absolute; of two replicates
    >>> absolute_change(Trace(xarray.Dataset(), artefacts={"first_layer_change": change}))
    array([0.03, 0.2 ])
    """
    return trace.artefacts["first_layer_change"][1]


def learning_rate(trace: Trace) -> float:
    """Return the learning rate of the first step.

    >>> import xarray
    >>> learning_rate(Trace(xarray.Dataset(attrs={"training": {"learning_rate": 0.1}})))
    0.1
    """
    return float(trace.attributes["training"]["learning_rate"])


def test_accuracy(trace: Trace) -> np.ndarray:
    """Accuracy on the test set at the end; [R].

    >>> import xarray
    >>> by_epoch = (("replicate", "step"), [[0.5, 0.9], [0.5, 0.5]])
    >>> test_accuracy(Trace(xarray.Dataset({"test_accuracy": by_epoch})))
    array([0.9, 0.5])
    """
    return values(trace, "test_accuracy")[:, -1]


def is_stuck(trace: Trace) -> np.ndarray:
    """Which replicates do no better than one class for all; [R] of bool.

    >>> import xarray
    >>> numbers = {"test_accuracy": [[0.54], [0.96]], "predicted_share": [[1.0], [0.5]]}
    >>> arrays = {name: (("replicate", "step"), values) for name, values in numbers.items()}
    >>> is_stuck(Trace(xarray.Dataset(arrays, attrs={"larger_test_share": 0.54})))
    array([ True, False])
    """
    share = trace.attributes["larger_test_share"]
    return stuck(test_accuracy(trace), share, values(trace, "predicted_share")[:, -1])


def dead_units(trace: Trace) -> np.ndarray:
    """Share of hidden units without slope for any sample of the last batch; [R].

    >>> import xarray
    >>> shares = (("replicate", "step", "layer"), [[[0.5, 0.9, 0.0]]])  # the output layer is last
    >>> dead_units(Trace(xarray.Dataset({"dead_fraction": shares})))
    array([0.7])
    """
    return hidden(trace, "dead_fraction")[:, -1].mean(1)


def first_step(trace: Trace, name: str) -> np.ndarray:
    """Return a variable at step 1.

    >>> import xarray
    >>> losses = (("replicate", "step"), [[0.7, 0.4, 0.2], [0.8, 0.8, 0.8]])
    >>> first_step(Trace(xarray.Dataset({"loss": losses})), "loss")
    array([0.7, 0.8])
    """
    return values(trace, name)[:, 0]


def last_epoch(trace: Trace, name: str) -> np.ndarray:
    """Mean of a variable over the recorded steps of the last epoch; NaN where one of them is.

    >>> import xarray
    >>> losses = (("replicate", "step"), [[0.7, 0.4, 0.2]])
    >>> trace = Trace(xarray.Dataset({"loss": losses}, {"epoch": ("step", [1, 2, 2])}))
    >>> last_epoch(trace, "loss").round(2)
    array([0.3])
    """
    return bands.last_epoch(values(trace, name), trace.dataset["epoch"].values)


def hidden(trace: Trace, name: str) -> np.ndarray:
    """Return a variable of the hidden layers, [R, steps, hidden layers].

    >>> import xarray
    >>> slopes = (("replicate", "step", "layer"), [[[0.2, 0.3, 1.0]]])  # the output layer is last
    >>> hidden(Trace(xarray.Dataset({"slope_rms": slopes})), "slope_rms")
    array([[[0.2, 0.3]]])
    """
    return values(trace, name)[:, :, : last_hidden(trace) + 1]


def values(trace: Trace, name: str) -> np.ndarray:
    """Return a variable as an array [replicate, step, layer], or what it has of these.

    >>> import numpy as np, xarray
    >>> heads = xarray.DataArray(np.array([[[[1.0, 3.0]]]]), dims=(*DIMS, "head"))
    >>> values(Trace(xarray.Dataset({"grad_norm": heads})), "grad_norm")
    array([[[2.]]])

    A dim that is none of the three is averaged over, as far as it was measured.
    """
    array = trace.dataset[name]
    if others := [dim for dim in array.dims if dim not in DIMS]:
        array = array.mean(others)
    return array.transpose(*(dim for dim in DIMS if dim in array.dims)).values


def stage_ends(trace: Trace, name: str) -> list[np.ndarray]:
    """Return a variable at the last step of each stage of a layer-wise training.

    >>> import xarray
    >>> losses = (("replicate", "step"), [[0.7, 0.6, 0.5, 0.2]])
    >>> stages = {"training": {"epochs": 1, "stages": ("first", "second")}}
    >>> data = xarray.Dataset({"loss": losses}, {"epoch": ("step", [1, 1, 2, 2])}, stages)
    >>> stage_ends(Trace(data), "loss")
    [array([0.6]), array([0.2])]
    """
    training, epochs = trace.attributes["training"], trace.dataset["epoch"].values
    ends = [training["epochs"] * (stage + 1) for stage in range(len(training["stages"]))]
    return [values(trace, name)[:, np.flatnonzero(epochs == end)[-1]] for end in ends]
