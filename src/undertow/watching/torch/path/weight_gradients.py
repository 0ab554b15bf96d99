"""What makes the gradient of each weight: the delta, and the size of what the layer reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from torch import Tensor

from undertow.trace.gradient_path import WeightGradient
from undertow.watching.torch.norms import as_float, norms
from undertow.watching.torch.path.input_patches import input_sizes
from undertow.watching.torch.path.named_factors import KnownGraph


def weight_gradients(
    plan: KnownGraph, weights: Sequence[Tensor], grads: Sequence[Tensor | None]
) -> Iterator[WeightGradient]:
    """Yield what makes the gradient of each weight that is used once, by one call."""
    by_id = zip(map(id, weights), grads, strict=True)
    there = {each: grad for each, grad in by_id if grad is not None}
    sizes = dict(zip(there, norms(list(there.values())), strict=True))
    used = Counter(id(weight.parameter) for call in plan.calls for weight in call.module.weights)
    # Also by what is no layer: a function that takes the weight, a penalty in the loss.
    reads = {
        id(node.variable): len(plan.readers[node, 0])
        for node, edges in plan.whole.items()
        if not edges and hasattr(node, "variable")
    }
    once, read = [], []
    for call in plan.calls:
        module, own = call.module.module, call.module.weights
        if len(own) == 1 and call.input is not None and len(call.delta) == 1:
            weight = id(own[0].parameter)
            is_own = own[0].parameter is getattr(module, "weight", None)
            if is_own and weight in sizes and used[weight] == reads.get(weight) == 1:
                once.append((call, sizes[weight]))
                read.append((module, call.input, call.shape))
    for (call, size), found in zip(once, input_sizes(read), strict=True):
        if found:
            grad, delta = as_float(size), as_float(call.delta[0])
            yield WeightGradient(call.name, grad, delta, found.size, found.rows)
