"""`undertow.explain`: where every decade of a model's gradient went, on one batch."""

from __future__ import annotations

from typing import Any

from undertow.errors import needs
from undertow.explanation.budget import Budget, budget


def explain(model: Any, loss_fn: Any, batch: Any) -> Budget:
    """Share out the decades between the first and the last hidden layer's delta, exactly.

    >>> import torch, undertow as ut
    >>> from torch import nn
    >>> layers = [nn.Linear(2, 8), nn.Sigmoid(), nn.Linear(8, 8), nn.Sigmoid(), nn.Linear(8, 1)]
    >>> batch = torch.ones(4, 2), torch.zeros(4, 1)
    >>> found = ut.explain(nn.Sequential(*layers), nn.functional.mse_loss, batch)
    >>> round(found.totals()["ceiling"], 3), found.closure_error < 1e-5
    (-0.602, True)

    One pass forward and back in the mode that the model is in; weights, gradients, buffers, random
    numbers and hooks are the same afterwards. Any graph will do: of its branches the one with most
    layers is followed, and what joins from the others is a term of its own.

    Parameters
    ----------
    model : torch.nn.Module
        Not compiled, not spread over processes.
    loss_fn : callable
        `loss_fn(model(inputs), targets)` is a mean over the batch.
    batch : (inputs, targets)
        A tuple of inputs goes to the model as several arguments, a dict by name.

    Returns
    -------
    Budget
        In dex, powers of ten: a row for each layer, a term for each cause.

    Raises
    ------
    SpecError
        A model or batch that cannot be, or no hidden layer behind another.
    UndertowError
        The gradient is 0, NaN or Inf on the way: there are no decades to share out.
    """
    needs("torch", "lab")
    from undertow.watching.way_back import way_back

    return budget(way_back(model, loss_fn, batch))
