"""What a trace says of a PyTorch training beside its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from undertow.watching.torch.layers import Module

OF_FIRST = "loss, input_rms and what describes activations: of its part of the batch"


def facts(
    weight: Any,
    modules: Sequence[Module],
    optimizers: Sequence[Any],
    *,
    batch_size: int,
    accumulation: int,
    scale: float,
    processes: int | None,
    edges: list[list[object]],
) -> dict[str, Any]:
    """Return the attributes of a run; `processes` is None where one trains the model alone."""
    return {
        "device": str(weight.device),
        "dtype": str(weight.dtype).removeprefix("torch."),
        "batch_size": batch_size or "",
        "amp_scale": scale,
        "accumulation": accumulation,
        "optimizers": ", ".join(type(each).__name__ for each in optimizers) or "not watched",
        "shared_weights": shared_weights(modules),
        "edges": edges,
        "processes": processes or 1,
        "of_the_first_process": OF_FIRST if processes else "",
    }


def shared_weights(modules: Sequence[Module]) -> list[str]:
    """Return, for each weight that several layers hold, their names in one string."""
    names: dict[int, list[str]] = {}
    for module in modules:
        for weight in module.weights:
            names.setdefault(id(weight.parameter), []).append(weight.name)
    return [" = ".join(each) for each in names.values() if len(each) > 1]
