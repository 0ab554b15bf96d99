"""What a recorded step leaves, and what is measured of it: every variable of the trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from undertow.lab import measure
from undertow.lab.activations import ACTIVATIONS
from undertow.lab.network import Forward, Running
from undertow.lab.parameters import Parameters, weight_blocks
from undertow.spec import NetworkSpec, TrainingSpec

HISTOGRAM_BINS, HISTOGRAM_EDGE = 80, 10.0
GROUP_NUMBERS = 500_000  # steps are measured together up to so many pre-activations,
PART_NUMBERS = 130_000  # and layers up to so many: half a megabyte

Measured = dict[str, Tensor]  # [steps, layers, R], or [steps, R] for what has no layer


@dataclass(frozen=True)
class Networks:
    """R networks and what a step needs to know of them."""

    spec: NetworkSpec
    parameters: Parameters
    running: Running
    replicates: int


class Moment(NamedTuple):
    """What a recorded step leaves to be measured."""

    inputs: Tensor
    passed: Forward
    deltas: tuple[Tensor, ...]
    gradient: Tensor
    weights: Tensor  # before the update
    update: Tensor
    losses: Tensor
    right: Tensor
    rate: Tensor


def steps_together(spec: NetworkSpec, training: TrainingSpec, replicates: int) -> int:
    """How many steps are measured in one go: many where tensors are small and cost by the call."""
    numbers = replicates * spec.depth * spec.width * training.batch_size
    return max(1, GROUP_NUMBERS // numbers)


@torch.no_grad()
def measured(networks: Networks, moments: Sequence[Moment]) -> Measured:
    """Measure steps of equal shapes, each as it was before its update."""
    spec, replicates = networks.spec, networks.replicates
    # Gradients, weights and updates go through the same calls: [3, steps, layers, R, out, in].
    flats = [torch.stack([getattr(m, kind) for m in moments]) for kind in _FLATS]
    blocks = weight_blocks(torch.stack(flats), spec, replicates)
    norms = torch.cat([measure.norm(block) for block in blocks], 2)
    hidden = _hidden(spec, moments)
    logits = torch.stack([m.passed.outputs[-1] for m in moments])
    last_delta = measure.norm(torch.stack([m.deltas[-1] for m in moments]))
    of_output = {"delta_norm": last_delta, "preactivation_rms": measure.rms(logits)}
    no_activation = torch.full_like(last_delta, torch.nan)
    return {
        "grad_norm": norms[0],
        "weight_norm": norms[1],
        "update_norm": norms[2],
        "grad_mean_abs": torch.cat([measure.mean_abs(block[0]) for block in blocks], 1),
        "nonfinite": torch.cat([measure.nonfinite(block[0]) for block in blocks], 1),
        **{
            name: torch.cat([values, of_output.get(name, no_activation)[:, None]], 1)
            for name, values in hidden.items()
        },
        "input_rms": measure.rms(torch.stack([m.inputs for m in moments])),
        "output_spread": logits.std(-1, correction=0).mean(-1),
        "loss": torch.stack([m.losses for m in moments]),
        "accuracy": torch.stack([m.right for m in moments]),
        "learning_rate": torch.stack([m.rate for m in moments]),
    }


_FLATS = ("gradient", "weights", "update")


def _hidden(spec: NetworkSpec, moments: Sequence[Moment]) -> Measured:
    """Measure the hidden layers, [steps, hidden layers, R], in parts that stay in the cache."""
    activation = ACTIVATIONS[spec.activation]
    tensors = [
        each
        for m in moments
        for each in zip(m.passed.preactivations, m.passed.activations, m.deltas[:-1], strict=True)
    ]
    together = max(1, PART_NUMBERS // tensors[0][0].numel())
    found: dict[str, list[Tensor]] = {}
    for start in range(0, len(tensors), together):
        part = zip(*tensors[start : start + together], strict=True)
        before, after, deltas = (torch.stack(each) for each in part)
        slopes = activation.slope(before, after)
        saturated, dead = measure.unit_shares(activation, slopes)
        values = {
            "delta_norm": measure.norm(deltas),
            "preactivation_rms": measure.rms(before),
            "activation_rms": measure.rms(after),
            "slope_rms": measure.rms(slopes),
            "saturated_fraction": saturated,
            "dead_fraction": dead,
        }
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return {name: torch.cat(of).unflatten(0, (-1, spec.depth)) for name, of in found.items()}


@torch.no_grad()
def distinct_units(networks: Networks) -> Tensor:
    blocks = weight_blocks(networks.parameters.flat, networks.spec, networks.replicates)
    return torch.cat([measure.distinct_units(block.mT) for block in blocks])


@torch.no_grad()
def histogram(preactivations: Sequence[Tensor]) -> Tensor:
    """Count pre-activations, [R, layers, bins]."""
    values = torch.stack(list(preactivations), 1).flatten(2)  # [R, layers, units x samples]
    width = 2 * HISTOGRAM_EDGE / HISTOGRAM_BINS
    places = torch.nan_to_num((values + HISTOGRAM_EDGE) / width, nan=0.0)
    places = places.clamp(0, HISTOGRAM_BINS - 1).long()
    counts = torch.zeros(*values.shape[:2], HISTOGRAM_BINS, dtype=torch.int32)
    return counts.scatter_add_(2, places, torch.ones_like(places, dtype=torch.int32))
