"""A training to be watched, killed and starved; says on stdout how far it is.

python -m tests.watching.training_program STORE NAME STEPS [LARGEST FILE]
"""

from __future__ import annotations

import resource
import sys

import torch

import undertow as ut
from tests.watching.loops import mean_square, net


def main(store: str, name: str, steps: int, largest: int | None = None, *, depth: int = 12) -> None:
    if largest is not None:  # of any file, in bytes
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    torch.set_num_threads(1)
    model = net(8, *[16] * depth, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    inputs = torch.randn(16, 8)
    with ut.watch(model, optimizer, store=store, name=name, every=1) as w:
        for step in range(1, steps + 1):
            optimizer.zero_grad()
            loss = mean_square(model(inputs))
            loss.backward()
            optimizer.step()
            w.log(loss=loss)
            print(step, flush=True)
        trace = w.trace()
    found = trace.to_xarray().step.values.tolist()
    lost = [(event.step, event.detail) for event in trace.events if event.kind == "lost"]
    print("steps", len(found), found[-1], "lost", lost, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
