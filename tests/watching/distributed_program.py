"""Trains one small model in several processes, watched: what test_distributed.py starts.

A layer's numbers are also written down by hand, from what one process holds: the truth where
there is only one, a share of it where there are two.
"""

from __future__ import annotations

import faulthandler
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

import undertow as ut
from undertow.watching.torch import norms

BATCH, WORDS, CLASSES = 8, 11, 3
CLIP = 0.05  # under every gradient norm of the first steps
PATIENCE = 30  # seconds of a training until a process says where it waits, and ends


class Case(NamedTuple):
    """One training."""

    wrapper: str = ""  # "ddp", "fsdp", or "hybrid": whole copies, as fully_shard keeps them
    looked: bool = False  # evaluated before it is watched, which leaves some weights gathered
    pieces: int = 1  # micro-batches to a step, reduced over the processes in the last one
    listed: bool = False  # in a ModuleList, as several models are given to a watch
    clipped: bool = False
    steps: int = 5
    every: int | str = 1
    budgets: tuple[float, ...] = (0.02, 0.02)  # of each process
    spoilt: int = 0  # the step at which the last process's loss is NaN
    broken: int = 0  # the step from which the last process finds no memory to measure with


SAMPLED = {"every": "auto", "budgets": (0.05, 0.9)}  # alone, the second would record nearly all
CASES = {
    "alone": Case(),
    "alone_clipped": Case(clipped=True),
    "hybrid": Case("hybrid"),
    "fsdp_looked": Case("fsdp", looked=True),
}
for _wrapper in ("ddp", "fsdp"):
    CASES[_wrapper] = Case(_wrapper)
    CASES[_wrapper + "_in_pieces"] = Case(_wrapper, pieces=2)
    CASES[_wrapper + "_listed"] = Case(_wrapper, listed=True)
    CASES[_wrapper + "_clipped"] = Case(_wrapper, clipped=True)
    CASES[_wrapper + "_sampled"] = Case(_wrapper, steps=80, **SAMPLED)
    CASES[_wrapper + "_spoilt"] = Case(_wrapper, spoilt=3)
    CASES[_wrapper + "_broken"] = Case(_wrapper, broken=3)
    CASES[_wrapper + "_spoilt_later"] = Case(_wrapper, steps=40, spoilt=15, **SAMPLED)


class Net(nn.Module):
    """Weights whose first dim no two processes share evenly, one of them a single row."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 5)
        self.reach = nn.Conv1d(5, 7, 3)
        self.block = nn.Sequential(nn.Linear(7, 9), nn.ReLU(), nn.LayerNorm(9), nn.Linear(9, 7))
        self.gate = nn.Linear(7, 1)
        self.head = nn.Linear(7, CLASSES)

    def forward(self, words: Tensor) -> Tensor:
        seen = torch.tanh(self.reach(self.words(words).transpose(1, 2))).mean(2)
        mixed = seen + self.block(seen)
        return self.head(mixed * torch.sigmoid(self.gate(mixed)))


def layers(model: nn.Module) -> dict[str, nn.Module]:
    return {
        path.removeprefix("module."): module
        for path, module in model.named_modules()
        if "weight" in dict(module.named_parameters(recurse=False))
    }


def wrapped(model: nn.Module, wrapper: str) -> nn.Module:
    if wrapper == "ddp":
        return DistributedDataParallel(model)
    if wrapper:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        sizes = {"shares": 2} if wrapper == "fsdp" else {"copies": 2, "shares": 1}
        mesh = init_device_mesh("cpu", tuple(sizes.values()), mesh_dim_names=tuple(sizes))
        for part in (model.block, model.head, model):
            fully_shard(part, mesh=mesh)  # pyright: ignore
    return model


def train(case: Case, *, watched: bool, rank: int = 0, world: int = 1, **options: Any) -> Any:
    """Train on this process's part of each batch; return (watcher, numbers written by hand)."""
    torch.manual_seed(0)
    model = wrapped(Net(), case.wrapper)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    byhand = ByHand(model)
    draw = torch.Generator().manual_seed(1)
    if case.looked:
        with torch.no_grad():
            model(torch.zeros(1, 6, dtype=torch.int64))
    watch = nullcontext()
    if watched:
        given = nn.ModuleList([model]) if case.listed else model
        budget = case.budgets[rank]
        watch = ut.watch(given, optimizer, every=case.every, budget=budget, **options)
    with ExitStack() as stack, watch as w:
        for step in range(1, case.steps + 1):
            words = torch.randint(WORDS, (BATCH, 6), generator=draw)
            targets = torch.randint(CLASSES, (BATCH,), generator=draw)
            own = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
            spoilt = step == case.spoilt and rank == world - 1
            factor = float("nan") if spoilt else 1.0
            if step == case.broken and rank == world - 1:
                full = mock.patch.object(norms, "foreach_norm", side_effect=MemoryError("full"))
                called = stack.enter_context(full)
            optimizer.zero_grad()
            loss = backward(model, words[own], targets[own], case.pieces, factor)
            byhand.before()
            if case.clipped:
                nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            if w is not None:
                w.log(loss=loss)
            optimizer.step()
            byhand.after()
        assert not case.broken or rank < world - 1 or called.called
    return w, byhand.numbers()


def backward(model: Any, words: Tensor, targets: Tensor, pieces: int, factor: float) -> Tensor:
    """Accumulate the gradient of the mean loss over all samples; return that loss."""
    total = torch.zeros(())
    parts = list(zip(words.chunk(pieces), targets.chunk(pieces), strict=True))
    for number, (inputs, wanted) in enumerate(parts, 1):
        last = number == pieces
        if hasattr(model, "set_requires_gradient_sync"):
            model.set_requires_gradient_sync(last)
        alone = model.no_sync() if not last and hasattr(model, "no_sync") else nullcontext()
        with alone:
            loss = nn.functional.cross_entropy(model(inputs), wanted) * factor / pieces
            loss.backward()
        total += loss.detach()
    return total


class ByHand:
    """Norms of what this process holds, in float64, step by step."""

    def __init__(self, model: nn.Module) -> None:
        self.weights = {name: module.weight for name, module in layers(model).items()}
        self.rows: dict[str, list[list[float]]] = {}
        self.squares = dict.fromkeys(self.weights, 0.0)
        for name, module in layers(model).items():
            module.register_forward_hook(self.called(name))

    def called(self, name: str) -> Callable[..., None]:
        def came_back(delta: Tensor) -> None:
            self.squares[name] += float((delta.double() ** 2).sum())

        def called(module: nn.Module, inputs: Any, output: Tensor) -> None:
            if output.requires_grad:
                output.register_hook(came_back)

        return called

    def before(self) -> None:
        self.kept = [held(each) for each in self.weights.values()]
        self.add("weight_norm", [norm(each) for each in self.kept])
        self.add("grad_norm", [norm(held(each.grad)) for each in self.weights.values()])
        self.add("delta_norm", [each**0.5 for each in self.squares.values()])
        self.squares = dict.fromkeys(self.weights, 0.0)

    def after(self) -> None:
        now = [held(each) for each in self.weights.values()]
        changes = [norm(new - old) for new, old in zip(now, self.kept, strict=True)]
        self.add("update_norm", changes)

    def add(self, name: str, row: list[float]) -> None:
        self.rows.setdefault(name, []).append(row)

    def numbers(self) -> dict[str, np.ndarray]:
        steps = np.arange(1, len(self.rows["grad_norm"]) + 1)
        found = {name: np.array(rows) for name, rows in self.rows.items()}
        return {"layer": np.array(list(self.weights)), "step": steps, **found}


def held(tensor: Any) -> Tensor:
    tensor = tensor.detach()
    return (tensor.to_local() if hasattr(tensor, "to_local") else tensor).double()


def norm(tensor: Tensor) -> float:
    return float((tensor**2).sum().sqrt())


def numbers(trace: Any) -> dict[str, np.ndarray]:
    """A trace's arrays, [step, layer] or [step]."""
    dataset = trace.to_xarray().isel(replicate=0).transpose("step", "layer", ...)
    found = {str(name): dataset[name].values for name in dataset.data_vars}
    events = [[each.kind, each.step, each.layer, str(each.detail)] for each in trace.events]
    return {
        "layer": dataset["layer"].values.astype(str),
        "step": dataset["step"].values,
        "events": np.array(json.dumps(events)),
        **found,
    }


def main(rank: int, world: int, folder: Path, names: list[str]) -> None:
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'meeting'}",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=2 * PATIENCE),
    )
    for name in names:
        print(f"process {rank} trains {name}", flush=True)
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        # One file for all processes, as a user's program has it; or one for each.
        store = folder / ("runs.db" if CASES[name].every == 1 else f"runs-{rank}.db")
        options = {"store": store, "name": name, "rank": rank, "world": world}
        w, shares = train(CASES[name], watched=True, **options)
        found = numbers(w.trace())
        if CASES[name].listed:
            found["layer"] = np.array([each.removeprefix("0.") for each in found["layer"]])
        np.savez(folder / f"{name}-{rank}.npz", **found)  # pyright: ignore
        np.savez(folder / f"{name}-{rank}-by-hand.npz", **shares)
    # Without the barrier one process may lose the other's connection while it ends, and abort.
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
