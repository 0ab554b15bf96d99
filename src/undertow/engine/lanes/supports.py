"""What lanes train, and the reason where they do not."""

from __future__ import annotations

import torch

from undertow.engine.lanes.native_library import absence, library, names
from undertow.spec.network import NetworkSpec

DEEPEST_IN_LANES = WIDEST_IN_LANES = 128
MOST_OUTPUTS = 1_000
# Of a large network one replicate alone keeps PyTorch's products busy, and seven lanes idle.
LARGE, FEW = 64, 5


def refusal(spec: NetworkSpec, dtype: torch.dtype = torch.float32) -> str | None:
    """Say why lanes do not train a network; None where they do.

    >>> wide = NetworkSpec(inputs=2, outputs=1, depth=3, width=300, activation="tanh")
    >>> refusal(wide)
    'width 300: at most 128'
    """
    if spec.width > WIDEST_IN_LANES:
        return f"width {spec.width}: at most {WIDEST_IN_LANES}"
    if spec.depth > DEEPEST_IN_LANES:
        return f"depth {spec.depth}: at most {DEEPEST_IN_LANES}"
    if spec.outputs > MOST_OUTPUTS:
        return f"outputs {spec.outputs}: at most {MOST_OUTPUTS}"
    if dtype != torch.float32:
        return f"{str(dtype).removeprefix('torch.')}: float32 alone"
    if library() is None:
        return absence()
    for what in ("activation", "normalisation", "gradient"):
        name = getattr(spec, what)
        if name not in names(f"{what}s"):
            return f"{what} {name}: not in lanes"
    return None


def worth(spec: NetworkSpec, replicates: int) -> bool:
    """Tell whether lanes are the faster engine, of a network that they train.

    >>> wide = NetworkSpec(inputs=2, outputs=1, depth=3, width=128, activation="tanh")
    >>> worth(wide, 3), worth(wide, 8)
    (False, True)
    """
    return spec.width <= LARGE or replicates >= FEW
