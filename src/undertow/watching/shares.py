"""Norms over all processes, from the shares that each of them holds.

Under DistributedDataParallel each process has the whole gradient, averaged, and the deltas of its
part of the batch; under `fully_shard` its share of each gradient as well. One all-reduce a recorded
step adds the squares of the shares. It also carries the first process's decision which step to
record next: processes that decided by themselves would wait for each other for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import distributed, nn


class Shares:
    """How the processes that train one model share its gradients and its batch."""

    def __init__(self, groups: Sequence[Any], device: torch.device, parts: np.ndarray) -> None:
        self._groups, self._device = groups, device
        self._parts = parts  # of each parameter's sum that this process adds
        self.world = int(np.prod([distributed.get_world_size(group) for group in groups]))

    @property
    def is_first(self) -> bool:
        """Tell the process that decides and writes."""
        return distributed.get_rank() == 0

    def total(self, by_parameter: np.ndarray, by_call: np.ndarray, word: float) -> Any:
        """Add sums [*, parameters] and [*, calls] over the processes; hand on the first's word.

        A sum over the batch's mean loss has every delta divided by the number of processes.
        """
        sent = np.concatenate(
            [
                (by_parameter * self._parts).ravel(),
                by_call.ravel() / self.world**2,
                [word if self.is_first else 0.0],
            ]
        )
        both = torch.from_numpy(sent).to(self._device)
        for group in self._groups:
            distributed.all_reduce(both, group=group)
        found = both.cpu().numpy()
        cut = by_parameter.size
        return (
            found[:cut].reshape(by_parameter.shape),
            found[cut:-1].reshape(by_call.shape),
            found[-1],
        )


def shares(model: nn.Module, parameters: Sequence[nn.Parameter]) -> Shares | None:
    """Return how a model is shared, or None where one process has it all."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return None
    meshes = {id(each.device_mesh): each.device_mesh for each in parameters if _sharded(each)}
    wrapped = isinstance(model, nn.parallel.DistributedDataParallel)
    if not meshes and not wrapped:
        return None
    if meshes:
        mesh = next(iter(meshes.values()))
        groups = [mesh.get_group(dim) for dim in range(mesh.ndim)]
    else:
        groups = [model.process_group]
    world = int(np.prod([distributed.get_world_size(group) for group in groups]))
    parts = np.array([_copies(each, world) for each in parameters], float)
    nccl = distributed.get_backend(groups[0]) == "nccl"
    device = next(iter(parameters)).device if nccl else torch.device("cpu")
    return Shares(groups, device, 1 / parts)


def _sharded(parameter: nn.Parameter) -> bool:
    return hasattr(parameter, "device_mesh") and hasattr(parameter, "placements")


def _copies(parameter: Any, world: int) -> int:
    """Return how many processes hold the same share of a parameter."""
    if not _sharded(parameter):
        return world
    mesh = parameter.device_mesh
    replicated = [place for place, kind in enumerate(parameter.placements) if kind.is_replicate()]
    return int(np.prod([mesh.size(dim) for dim in replicated], initial=1))


def resharded(model: nn.Module) -> None:
    """Bring a model under `fully_shard` into the state in which its optimizer knows it.

    After a forward pass without a backward one, its root's parameters are other, whole tensors.
    """
    if not distributed.is_available() or not distributed.is_initialized():
        return
    from torch.distributed.fsdp import FSDPModule

    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
