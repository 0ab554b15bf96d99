"""Verdicts on nets that are trained here: the six of docs/peers.md, and forty of the zoo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.as_before import borrowed

SEED = 0
CASES = (
    # Healthy: every family of nets, several activations, with and without normalisation
    "mlp-relu-10x32-digits-adam",
    "mlp-tanh-3x32-digits-sgd",
    "mlp-sigmoid-bn-3x32-digits-momentum",
    "mlp-gelu-4x32-circles-momentum",
    "conv-relu-3x8-digits-adam",
    "resmlp-relu-scaled-8x32-digits-sgd",
    "transformer-post-2x16-rows-adam",
    "lstm-1x32-rows-adam",
    # Vanishing and exploding
    "mlp-sigmoid-bn-10x32-digits-adam/no-norm",
    "mlp-relu-5x128-digits-sgd/layer-3-x0.001",
    "lstm-1x32-rows-momentum/weights-x0.01",  # which the diagnosis misses
    "mlp-relu-10x32-digits-adam/weights-x4",
    "mlp-relu-5x128-digits-sgd/layer-3-x100",
    # Dead and saturated units
    "mlp-relu-10x32-digits-adam/dead-31-of-32-layer-4",
    "conv-relu-3x8-digits-adam/dead-7-of-8",
    "mlp-tanh-10x32-digits-momentum/weights-x30",
    "mlp-sigmoid-bn-3x32-digits-momentum/shifts-10",
    # Not finite
    "lstm-1x32-rows-adam/nan-input-from-50",
    "mlp-relu-10x32-digits-adam/log-layer",
    # Steps too large, and too small
    "conv-relu-3x8-digits-adam/lr-0.5",
    "gru-1x16-recall-adam/lr-1",
    "mlp-relu-10x32-digits-adam/lr-1e-7",
    "mlp-relu-20x64-digits-adam/only-last-trained",
    # No gradient
    "mlp-relu-10x32-digits-adam/detach-after-7",
    "mlp-relu-20x64-digits-adam/hidden-frozen",
    "transformer-post-2x16-rows-adam/layers-without-grad",
    # Symmetric
    "mlp-sigmoid-bn-3x32-digits-momentum/constant",
    "lstm-1x32-rows-adam/all-constant",
    # Dead at birth
    "mlp-relu-10x32-digits-adam/bias-100-layer-4",
    "mlp-relu-bn-6x32-digits-sgd/shift-100-layer-2",
    # Inputs, and batches
    "mlp-relu-3x32-digits-sgd/inputs-x255",
    "mlp-tanh-10x32-digits-momentum/inputs-x0.001",
    "mlp-gelu-4x32-circles-momentum/plus-100",
    "mlp-relu-bn-6x32-digits-sgd/batch-2",
    "mlp-relu-bn-4x32-moons-momentum/batch-2",
    # Against the theory
    "mlp-relu-10x32-digits-adam/normal-0.01",
    "mlp-selu-20x32-digits-momentum/all-x2",
    # The loss diverges
    "mlp-selu-8x32-digits-sgd/lr-3",
    "mlp-tanh-3x32-digits-sgd/lr-100",
    "mlp-leaky-4x16-circles-sgd/lr-20",
)


def six_nets() -> dict[str, Any]:
    """Diagnose the six nets."""
    names, _ = borrowed.six_nets()
    return {name: net(name) for name in names}


def net(name: str) -> dict[str, Any]:
    """Diagnose one of the six nets."""
    _, diagnosed = borrowed.six_nets()
    found = diagnosed(name).document()
    root = found["root_cause"]
    return {
        "outcome": found["outcome"],
        "code": root["code"] if root else None,
        "layers": list(root["layers"]) if root else [],
        "remedies": list(root["remedies"]) if root else [],
        "rules": {each["code"]: each["outcome"] for each in found["rules"]},
    }


def case(name: str, folder: Path) -> dict[str, Any]:
    """Train and diagnose one case of the zoo, with one seed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = borrowed.zoo_judge()(borrowed.zoo_cases()[name], SEED, folder / "case.db")
    torch.set_num_threads(threads)
    return {
        "outcome": found.outcome,
        "code": found.code,
        "layer": found.layer,
        "accepted": sorted(found.case.accepted),
        "as_the_zoo_says": not found.is_miss,
    }
