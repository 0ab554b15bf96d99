"""`undertow.probe`: one pass forward and back, measured, that leaves no trace in the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from undertow.errors import SpecError
from undertow.trace.record import Chunk, Event, Header, Trace, build, provenance
from undertow.watching.torch import layers
from undertow.watching.torch import rows as row
from undertow.watching.torch.hooks import guard, without_watches
from undertow.watching.torch.layer_calls import LayerCall, LayerCalls
from undertow.watching.torch.nonfinite_origin import origin
from undertow.watching.torch.norms import entries, norms, numbers
from undertow.watching.torch.probe_pass import check_batch, check_loss, output_of, undisturbed
from undertow.watching.torch.units import distinct_by_parameter


def probe(model: nn.Module, loss_fn: Callable[..., Tensor], batch: tuple[Any, Any]) -> Trace:
    """Measure every layer's gradient on one batch, and leave the model exactly as it was.

    >>> import torch, undertow as ut
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    >>> batch = torch.ones(4, 2), torch.zeros(4, 1)
    >>> ut.probe(model, nn.functional.mse_loss, batch).to_xarray()["grad_norm"].shape
    (1, 1, 2)

    The pass runs in the mode that the model is in (`model.train()`, `model.eval()`). Weights,
    gradients, buffers, random numbers and hooks are the same afterwards.

    Parameters
    ----------
    model : torch.nn.Module
        Not compiled, not spread over processes.
    loss_fn : callable
        `loss_fn(model(inputs), targets)` is a mean over the batch.
    batch : (inputs, targets)
        A tuple of inputs goes to the model as several arguments, a dict by name.

    Raises
    ------
    SpecError
        A model without weights, a batch that is not a pair, a loss that is no single number or
        reaches no weight.
    """
    found = layers.modules(model)
    check_batch(batch)
    guarded = guard(of_probe=True)
    calls = LayerCalls(model, found, guarded, lambda: None, always=True)
    held = [weight.parameter for module in found for weight in module.weights]
    parameters = [each for each in dict.fromkeys(held) if each.requires_grad]
    with undisturbed(model), without_watches(), torch.enable_grad():
        calls.attach()
        try:
            loss = loss_fn(output_of(model, batch[0]), batch[1])
            check_loss(loss)
            # Not loss.backward(): that would fill .grad and run the hooks of an optimizer.
            grads = torch.autograd.grad(loss, parameters, allow_unused=True)
            passed = calls.take()
            spread, given = calls.output_spread, (calls.input_norm, calls.input_size)
        finally:
            calls.detach()
    if guarded.failure:
        raise SpecError(f"{type(model).__name__} cannot be measured: {guarded.failure}")
    if all(grad is None for grad in grads):
        raise SpecError("loss_fn: no weight takes part in the loss; look for a detach() before it")
    rows = row.places(found, passed)
    by_parameter = dict(zip(map(id, parameters), grads, strict=True))
    arrays = _arrays(found, rows, by_parameter)
    passes = row.passes(passed)
    at = row.places_of_keys(rows, passes.keys)
    arrays["delta_norm"] = np.append(passes.delta_norm, np.nan)[at]
    for name, values in passes.values.items():
        arrays[name] = np.append(values, np.nan)[at]
    cells = {name: np.asarray(array)[None, None] for name, array in arrays.items()}
    cells["loss"] = np.array([[loss.item()]])
    if spread is not None:
        cells["output_spread"] = numbers([spread])[None]
    if given[0] is not None:
        cells["input_rms"] = (numbers([given[0]]) / math.sqrt(max(given[1], 1)))[None]
    attributes = provenance(
        "watched",
        device=str(held[0].device),
        dtype=str(held[0].dtype).removeprefix("torch."),
        batch_size=calls.batch_size or "",
        sampling="one pass, without an update",
        training_mode=str(model.training),
    )
    described = row.layers(found, rows, passed)
    attributes["edges"] = row.edges(calls.edges, rows, described)
    header = Header(described, (0,), attributes)
    one = np.ones(1, np.int64)
    events = _origin(found, passed, rows, arrays, loss.item())
    return build(header, [Chunk(one, one, cells)], events)


def _origin(
    found: list[layers.Module],
    passed: list[LayerCall],
    rows: list[row.Place],
    arrays: Mapping[str, np.ndarray],
    loss: float,
) -> list[Event]:
    """Say where the first NaN or Inf of the pass arose, if there is one."""
    parameters: dict[int, int] = {}
    for module in found:
        for weight in module.weights:
            parameters.setdefault(id(weight.parameter), len(parameters))
    bad, nonfinite = set(), np.zeros(len(parameters))
    for at, place in enumerate(rows):
        if place.weight is None:
            continue
        number = parameters[id(found[place.layer].weights[place.weight].parameter)]
        nonfinite[number] = np.nan_to_num(arrays["nonfinite"][at])
        if not np.isfinite(arrays["weight_norm"][at]):
            bad.add(number)
    first = origin(passed, found, bad, nonfinite, parameters, loss)
    return [] if first is None else [Event("nonfinite", 1, first.layer, 0, first.words)]


def _arrays(
    found: list[layers.Module], rows: list[row.Place], grads: Mapping[int, Tensor | None]
) -> dict[str, Any]:
    names = ("grad_norm", "grad_mean_abs", "nonfinite", "weight_norm", "distinct_units")
    arrays = {name: np.full(len(rows), np.nan) for name in names}
    distinct = distinct_by_parameter(found)
    for at, place in enumerate(rows):
        if place.weight is None:
            continue
        parameter = found[place.layer].weights[place.weight].parameter
        arrays["weight_norm"][at] = numbers(norms([parameter]))[0]
        arrays["distinct_units"][at] = distinct.get(id(parameter), np.nan)
        grad = grads.get(id(parameter))
        if grad is not None:
            held = entries(grad)
            arrays["grad_norm"][at] = numbers(norms([held]))[0]
            arrays["grad_mean_abs"][at] = held.double().abs().sum().item() / parameter.numel()
            arrays["nonfinite"][at] = int((~torch.isfinite(held)).sum())
    return arrays
