"""All that can be seen of a PyTorch training from outside, as dicts to be compared."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.conformance.case import Case, Optimizers

HOLD_GLOBAL_HOOKS = ("torch.nn.modules.module", "torch.optim.optimizer")


def state(model: nn.Module, optimizers: Optimizers) -> dict[str, object]:
    """Return the bits of all that training changes."""
    return {
        **bits(model.state_dict(), "model"),
        **bits({name: each.grad for name, each in model.named_parameters()}, "gradient"),
        **bits([optimizer.state_dict() for optimizer in optimizers], "optimizer"),
    }


def bits(value: Any, path: str = "") -> dict[str, object]:
    """Lay dicts, lists and tuples out flat; a tensor becomes its type, shape and bytes."""
    if isinstance(value, dict | list | tuple):
        found: dict[str, object] = {}
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            found |= bits(part, f"{path}.{key}" if path else str(key))
        return found
    if isinstance(value, torch.Tensor):
        plain = value.detach().to_dense()
        return {path: (plain.dtype, plain.shape, plain.numpy().tobytes())}
    return {path: value}


def modes(model: nn.Module) -> dict[str, object]:
    """Return which modules are in training mode, and which parameters are trained."""
    return {
        **{f"{name} training": module.training for name, module in model.named_modules()},
        **{f"{name} requires_grad": each.requires_grad for name, each in model.named_parameters()},
    }


def attached(model: nn.Module, optimizers: Optimizers) -> dict[str, object]:
    """Count the hooks on everything, and name every attribute: a patched method is one more."""
    owners: dict[str, Any] = {f"module {name}": each for name, each in model.named_modules()}
    owners |= {f"optimizer {place}": each for place, each in enumerate(optimizers)}
    owners |= {name: import_module(name) for name in HOLD_GLOBAL_HOOKS}
    found: dict[str, object] = {
        f"{owner}, {name}": len(value) if "hooks" in name and isinstance(value, dict) else None
        for owner, each in owners.items()
        for name, value in vars(each).items()
    }
    for name, parameter in model.named_parameters():
        for kind in ("_backward_hooks", "_post_accumulate_grad_hooks"):
            found[f"parameter {name}, {kind}"] = len(getattr(parameter, kind) or ())
    return found


# NumPy's old generator is still everybody's, so it is one of those that must not move.
def seed_everything() -> None:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002


def random_states() -> dict[str, object]:
    _, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "python": random.getstate(),
        "numpy": (np.asarray(keys).tobytes(), *rest),
    }


@contextmanager
def begun(case: Case, dtype: torch.dtype = torch.float32) -> Iterator[tuple[nn.Module, Optimizers]]:
    """Build a case from seed 0, to be trained on one thread: more slow small networks down."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seed_everything()
        model, optimizers = case.build()
        yield model.to(dtype), optimizers
    finally:
        torch.set_num_threads(threads)
