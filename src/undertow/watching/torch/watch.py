"""`undertow.watch`: one line in a training loop of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from torch import nn, optim

from undertow.errors import SpecError, UnknownName
from undertow.trace.sink import as_sinks
from undertow.trace.sinks.each_step import EachStep
from undertow.watching.core.schedule import DEFAULT_BUDGET, Schedule
from undertow.watching.torch.step_loop import Watch

RECORDS = ("everything", "gradients")
LIMIT = 256_000_000  # bytes of a run
LEAST = 1_000_000
HOOKS = "_optimizer_step_pre_hooks"  # what every optimizer has that has initialised its base class


def watch(
    model: nn.Module,
    optimizer: Any = None,
    *,
    store: str | Path | None = None,
    name: str | None = None,
    every: int | str = "auto",
    budget: float = DEFAULT_BUDGET,
    record: str = "everything",
    scaler: Any = None,
    limit: float = LIMIT,
    sinks: Sequence[Any] = (),
) -> Watch:
    """Watch the gradients of a model while your own loop trains it.

    >>> import torch, undertow as ut
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    >>> optimizer = torch.optim.SGD(model.parameters(), 0.1)
    >>> with ut.watch(model, optimizer) as w:
    ...     for _ in range(3):
    ...         loss = model(torch.ones(4, 2)).square().mean()
    ...         optimizer.zero_grad()
    ...         loss.backward()
    ...         optimizer.step()
    ...         w.log(loss=loss)
    >>> w.trace().to_xarray()["grad_norm"].dims
    ('replicate', 'step', 'layer')

    The weights come out bit for bit as without it, and so do the random numbers. Gradients are read
    when a backward pass ends: accumulated over micro-batches, unscaled, before clipping.

    Parameters
    ----------
    model : torch.nn.Module
        Wrap it (DistributedDataParallel, `fully_shard`, `torch.compile`) before. Several models
        go into an `nn.ModuleList`.
    optimizer : torch.optim.Optimizer or a list of them, optional
        A step is an optimizer's step; of several, it ends when each has stepped, or when one is
        about to step again. Without one, call `w.step(loss)` after each backward pass.
    store, name : path and str, optional
        A store to write to meanwhile, and the run's name there; without a store the trace is kept
        in memory.
    every : "auto" or int
        Record every so many steps; `auto` keeps the cost under the budget. Steps 1 to 10 are
        always recorded, and so are those after an anomaly.
    budget : float
        What measuring may take, as a share of what training takes.
    record : "everything" or "gradients"
        The cheap half: gradient norms, loss and learning rate only.
    scaler : torch.amp.GradScaler, optional
        The one that scales the loss, for gradients are recorded unscaled.
    limit : float
        Bytes that the run may take. Past half of it fewer steps are recorded, so that it is never
        reached.
    sinks : sequence of functions or sinks, optional
        Where recorded steps go as well: a function of a step's number and its values by name
        (`loss`, `grad_norm/layer`), or what `undertow.sinks` has. They are told in another thread;
        one that fails is dropped after one line.

    Raises
    ------
    SpecError
        A model without weights, an optimizer of another model or one that is watched already, an
        option that is not allowed.
    StoreError
        A store that cannot be used, or that holds a run of that name.
    """
    optimizers = _optimizers(optimizer)
    _check(every, budget, record, limit)
    if store is not None and not isinstance(store, str | Path):
        raise SpecError(f"store = {store!r}: the path of a file, for example 'runs.db'")
    if name is not None and (not isinstance(name, str) or not name.strip()):
        raise SpecError(f"name = {name!r}: some words, for example 'my-net'")
    if scaler is not None and not isinstance(scaler, torch.amp.GradScaler):
        raise SpecError(f"scaler of type {type(scaler).__name__}: give the torch.amp.GradScaler")
    if name is not None and store is None:
        raise SpecError(f"name = {name!r} without a store: type  ut.watch(..., store='runs.db')")
    schedule = Schedule(every, budget, limit)
    whole = record == "everything"
    others = as_sinks(sinks, EachStep)
    return Watch(model, optimizers, store, name, schedule, whole=whole, scaler=scaler, sinks=others)


def _optimizers(given: Any) -> list[optim.Optimizer]:
    """Return the optimizers as a list."""
    found = [] if given is None else list(given) if isinstance(given, Sequence) else [given]
    found = [_inner(each) for each in found]
    if given is not None and not found:
        raise SpecError("an empty list of optimizers: leave it out, and call w.step(loss)")
    for each in found:
        if not isinstance(each, optim.Optimizer) or not hasattr(each, HOOKS):
            raise SpecError(
                f"optimizer of type {type(each).__name__}: give a torch.optim.Optimizer, a list "
                "of them, or none and call w.step(loss)"
            )
    if len(set(map(id, found))) < len(found):
        raise SpecError("the same optimizer stands twice in the list: name each once")
    return found


def _inner(optimizer: Any) -> Any:
    """Return the optimizer inside a wrapper that is one in name only, as Accelerate makes them."""
    while isinstance(optimizer, optim.Optimizer) and not hasattr(optimizer, HOOKS):
        inner = getattr(optimizer, "optimizer", None)
        if not isinstance(inner, optim.Optimizer):
            break
        optimizer = inner
    return optimizer


def _check(every: Any, budget: float, record: str, limit: float) -> None:
    whole = isinstance(every, Integral) and not isinstance(every, bool) and int(every) >= 1
    if every != "auto" and not whole:
        raise SpecError(f"every = {every!r}: 'auto', or a number of steps from 1")
    if not isinstance(budget, int | float) or not 0 < budget <= 1:
        raise SpecError(f"budget = {budget!r}: a share above 0 and up to 1, for example 0.02")
    if record not in RECORDS:
        raise UnknownName("record", str(record), RECORDS)
    if not isinstance(limit, int | float) or not limit >= LEAST:
        raise SpecError(f"limit = {limit!r}: bytes, at least {LEAST:,}")
