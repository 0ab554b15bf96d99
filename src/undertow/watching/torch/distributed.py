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

from undertow.errors import SpecError


class NormShares:
    """How the processes that train one model share its gradients and its batch."""

    def __init__(
        self, groups: Sequence[Any], device: torch.device, parts: np.ndarray, *, sharded: bool
    ) -> None:
        self._groups, self._device = groups, device
        self.sharded = sharded
        self._parts = parts  # of each parameter's sum that this process adds
        self.world = int(np.prod([distributed.get_world_size(group) for group in groups]))

    @property
    def is_first(self) -> bool:
        """Tell the process that decides and writes."""
        return all(distributed.get_rank(group) == 0 for group in self._groups)

    def total(
        self, by_parameter: np.ndarray, by_call: np.ndarray, due: float, *, stopped: bool = False
    ) -> tuple[np.ndarray, np.ndarray, float, bool]:
        """Add sums [*, parameters] and [*, calls] over the processes; hand on the first's `due`.

        Where a process has `stopped` measuring, it is its last word, and all hear of it: to wait
        for it in the next step would be to wait for ever. A delta of the mean over all processes is
        that of the mean over one divided by their number.
        """
        sent = np.concatenate(
            [
                (by_parameter * self._parts).ravel(),
                by_call.ravel() / self.world**2,
                [due if self.is_first else 0.0, float(stopped)],
            ]
        )
        both = torch.from_numpy(sent).to(self._device)
        for group in self._groups:
            distributed.all_reduce(both, group=group)
        found = both.cpu().numpy()
        cut = by_parameter.size
        return (
            found[:cut].reshape(by_parameter.shape),
            found[cut:-2].reshape(by_call.shape),
            float(found[-2]),
            bool(found[-1]),
        )


def is_first(shares: NormShares | None) -> bool:
    """Tell the process that writes, also where several train without sharing this model."""
    if shares:
        return shares.is_first
    return not several_processes() or distributed.get_rank() == 0


def several_processes() -> bool:
    """Tell whether this process trains with others."""
    return distributed.is_available() and distributed.is_initialized()


def shares(model: nn.Module, parameters: Sequence[Any]) -> NormShares | None:
    """Return how a model is shared, or None where one process has it all."""
    if not several_processes():
        return None
    meshes = {id(each.device_mesh): each.device_mesh for each in parameters if _is_sharded(each)}
    parallel = nn.parallel.DistributedDataParallel
    wrapped = [each for each in model.modules() if isinstance(each, parallel)]
    if not meshes and not wrapped:
        return None
    if meshes:
        mesh = next(iter(meshes.values()))
        groups = [mesh.get_group(dim) for dim in range(mesh.ndim)]
    else:
        groups = [wrapped[0].process_group]
    world = int(np.prod([distributed.get_world_size(group) for group in groups]))
    parts = np.array([_copies(each, world) for each in parameters], float)
    nccl = distributed.get_backend(groups[0]) == "nccl"
    device = next(iter(parameters)).device if nccl else torch.device("cpu")
    return NormShares(groups, device, np.append(1 / parts, 1.0), sharded=bool(meshes))


def _is_sharded(parameter: nn.Parameter) -> bool:
    return hasattr(parameter, "device_mesh") and hasattr(parameter, "placements")


def _copies(parameter: Any, world: int) -> int:
    """Return how many processes hold the same share of a parameter."""
    if not _is_sharded(parameter):
        return world
    mesh = parameter.device_mesh
    replicated = [place for place, kind in enumerate(parameter.placements) if kind.is_replicate()]
    return int(np.prod([mesh.size(dim) for dim in replicated], initial=1))


def reshard(model: nn.Module) -> None:
    """Bring a model under `fully_shard` into the state in which its optimizer knows it.

    After a forward pass without a backward one, its root's parameters are other, whole tensors.
    """
    if not several_processes():
        return
    from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel

    for module in model.modules():
        if isinstance(module, FullyShardedDataParallel):
            raise SpecError(
                "FullyShardedDataParallel hides the weights of its modules: shard the model with "
                "torch.distributed.fsdp.fully_shard to watch it"
            )
        if isinstance(module, FSDPModule):
            module.reshard()
