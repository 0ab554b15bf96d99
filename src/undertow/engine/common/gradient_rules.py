"""What a remedy does to the gradient: on its way back through the layers, or before the step."""

from __future__ import annotations

import torch
from torch import Tensor

from undertow.engine.common import norms as measure
from undertow.engine.common.parameters import Parameters, split
from undertow.spec.network import NetworkSpec

STANDARD_EPSILON = 1e-6  # the published one
CLIP_EPSILON = 1e-6  # PyTorch's, in clip_grad_norm_


def transform_gradient(rule: str, arriving: Tensor) -> None:
    """Change dE/dx behind an activation, [R, width, batch], in place.

    >>> arriving = torch.tensor([[[3.0, 4.0]]])
    >>> transform_gradient("unit", arriving)
    >>> arriving
    tensor([[[0.6000, 0.8000]]])

    `standardised` is the published remedy: (g - mean) / (sd + 1e-6) over the whole tensor, which
    has a norm of sqrt(width x batch). `unit` keeps its direction and gives it a norm of 1.
    """
    if rule == "standardised":
        sd, mean = torch.std_mean(arriving, (1, 2), keepdim=True)
        arriving.sub_(mean).div_(sd.add_(STANDARD_EPSILON))
    elif rule == "unit":
        norms = measure.norm(arriving)
        # Where nothing arrives there is no direction to keep.
        arriving.div_(torch.where(norms == 0, torch.ones_like(norms), norms)[:, None, None])


def clip_gradient(gradient: Parameters, limit: float, spec: NetworkSpec, replicates: int) -> Tensor:
    """Scale each network's gradient down to the norm `limit`, as `clip_grad_norm_` does; a copy.

    Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063.
    """
    squares = [measure.norm(leaf).double().square() for leaf in gradient.leaves]
    norms = torch.stack(squares).sum(0).sqrt()
    share = (limit / (norms + CLIP_EPSILON)).clamp(max=1.0).to(gradient.flat.dtype)
    copy = split(gradient.flat.clone(), spec, replicates)
    for leaf in copy.leaves:
        leaf.mul_(share[:, None, None])
    return copy.flat
