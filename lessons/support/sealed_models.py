"""Three small networks with one fault each, and a healthy one of the same kind; lesson 6.

What is wrong with each stands here in a form that nobody reads by accident.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections import OrderedDict
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import nn

from undertow.data.toy import make_samples
from undertow.diagnosis.diagnose import diagnose
from undertow.spec.toy import ToySpec
from undertow.trace.record import Trace
from undertow.watching.torch.watch import watch

HEALTHY = "healthy"
ENVELOPES = {
    HEALTHY: "eyJzZWVkIjogNX0=",
    "A": "eyJvZmZzZXQiOiAxMC4wLCAic2VlZCI6IDR9",
    "B": "eyJsZWFybmluZ19yYXRlIjogMy4wLCAic2VlZCI6IDV9",
    "C": "eyJ3ZWlnaHRzIjogeyJoaWRkZW5fNCI6IDAuMDF9LCAic2VlZCI6IDJ9",
}
DEPTH, WIDTH, STEPS, BATCH = 5, 16, 40, 32
LAYERS = (*(f"hidden_{layer}" for layer in range(1, DEPTH + 1)), "output")
LEARNING_RATE = 0.05
loss_fn = nn.functional.binary_cross_entropy_with_logits


@lru_cache(maxsize=8)
def watched(name: str) -> Trace:
    """Train a model for a few steps under `ut.watch`, every step recorded."""
    fault = _opened(name)
    model, inputs, targets = network(name), *samples(name)
    rate = fault.get("learning_rate", LEARNING_RATE)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    order = torch.Generator().manual_seed(1)
    with watch(model, optimizer, every=1, budget=1.0) as seen:
        for _ in range(STEPS):
            batch = torch.randperm(len(inputs), generator=order)[:BATCH]
            optimizer.zero_grad()
            loss = loss_fn(model(inputs[batch]), targets[batch])
            loss.backward()
            optimizer.step()
            seen.log(loss=loss)
    return seen.trace()


def network(name: str) -> nn.Sequential:
    """Return a model as it begins: ReLU layers with He's weights."""
    fault = _opened(name)
    order = torch.Generator().manual_seed(fault.get("seed", 0))
    parts: list[tuple[str, nn.Module]] = []
    fan_in = 2
    for layer, fan_out in zip(LAYERS, (*[WIDTH] * DEPTH, 1), strict=True):
        linear = nn.utils.skip_init(nn.Linear, fan_in, fan_out)
        nn.init.normal_(linear.weight, std=float(np.sqrt(2 / fan_in)), generator=order)
        nn.init.zeros_(linear.bias)
        with torch.no_grad():
            linear.weight.mul_(fault.get("weights", {}).get(layer, 1.0))
        parts += [(layer, linear), (f"relu_{len(parts) // 2 + 1}", nn.ReLU())]
        fan_in = fan_out
    return nn.Sequential(OrderedDict(parts[:-1]))


def samples(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a model's inputs and targets: two moons."""
    data = make_samples(ToySpec(standardised=True, offset=_opened(name).get("offset", 0.0)))
    targets = torch.from_numpy(data.train_targets).float()[:, None]
    return torch.from_numpy(data.train_inputs), targets


def diagnosed(everywhere: str) -> dict[str, str]:
    """Return what `ut.diagnose` says of each model: A_layer, A_cause, ..."""
    found = {}
    for name in ENVELOPES:
        root = diagnose(watched(name)).root_cause
        if root:
            found[f"{name}_layer"] = root.layers[0] if root.layers else everywhere
            found[f"{name}_cause"] = root.code
    return found


def _opened(name: str) -> dict[str, Any]:
    return json.loads(b64decode(ENVELOPES[name]))
