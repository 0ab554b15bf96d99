"""What is measured of recorded steps: every variable of the trace."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from undertow.engine.common import norms as measure
from undertow.engine.common.activations import ACTIVATIONS
from undertow.engine.common.losses import accuracy, losses
from undertow.engine.common.networks import Networks
from undertow.engine.common.parameters import weight_blocks
from undertow.engine.common.sampling import Measurements
from undertow.engine.torch.buffers import KINDS, StepBuffers
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.schema import HISTOGRAM_BINS, HISTOGRAM_EDGE

GROUP_NUMBERS = 4_000_000  # steps are measured together up to so many numbers in their room


def steps_together(spec: NetworkSpec, training: TrainingSpec, replicates: int) -> int:
    """How many steps are measured in one go: many where tensors are small and cost by the call."""
    a_sample = spec.depth * spec.width + spec.inputs
    numbers = replicates * (a_sample * training.batch_size + spec.parameters)
    return max(1, GROUP_NUMBERS // numbers)


@torch.no_grad()
def measure_steps(
    networks: Networks,
    training: TrainingSpec,
    passes: StepBuffers,
    targets: Sequence[Tensor],
    squares: Sequence[Tensor],
) -> Measurements:
    """Measure the first `len(targets)` steps of `passes`, each as it was before its update.

    `squares` has, for each step, the mean square of the inputs, [R], in float64.
    """
    spec, steps = networks.spec, len(targets)
    truth = torch.stack(list(targets))
    # Gradients, weights and updates go through the same calls: [3, steps, layers, R, out, in].
    blocks = weight_blocks(passes.flats[:, :steps], spec, networks.replicates)
    of_blocks = [measure.norm(block) for block in blocks]
    norms = torch.cat(of_blocks, 2)
    hidden = dict(zip(KINDS, passes.hidden[:, :steps], strict=True))  # each lies in one piece
    slope, saturated, dead = measure.slope_statistics(
        ACTIVATIONS[spec.activation], hidden["preactivation"], hidden["activation"]
    )
    sizes = {kind: measure.rms(values) for kind, values in hidden.items()}
    entries = spec.width * truth.shape[-1]
    logits, last_deltas = passes.last[:, :steps]
    loss = losses(training.loss, logits, truth)
    rate = torch.full_like(loss, training.learning_rate)
    nothing = torch.full_like(rate[:, None], torch.nan)  # the output layer has no activation
    of_layers = {
        "delta_norm": (sizes["delta"] * entries**0.5, measure.norm(last_deltas)[:, None]),
        "preactivation_rms": (sizes["preactivation"], measure.rms(logits)[:, None]),
        "activation_rms": (sizes["activation"], nothing),
        "slope_rms": (slope, nothing),
        "saturated_fraction": (saturated, nothing),
        "dead_fraction": (dead, nothing),
    }
    return {
        "grad_norm": norms[0],
        "weight_norm": norms[1],
        "update_norm": norms[2],
        "grad_mean_abs": torch.cat([measure.mean_abs(block[0]) for block in blocks], 1),
        "nonfinite": torch.cat(
            [
                measure.nonfinite(block[0], norm[0])
                for block, norm in zip(blocks, of_blocks, strict=True)
            ],
            1,
        ),
        **{name: torch.cat(parts, 1) for name, parts in of_layers.items()},
        "input_rms": torch.stack(list(squares)).sqrt().to(loss.dtype),
        "output_spread": measure.output_spread(logits),
        "loss": loss,
        "accuracy": accuracy(training.loss, logits, truth),
        "learning_rate": rate,
    }


@torch.no_grad()
def distinct_units(networks: Networks) -> Tensor:
    blocks = weight_blocks(networks.parameters.flat, networks.spec, networks.replicates)
    return torch.cat([measure.distinct_units(block.mT) for block in blocks])


@torch.no_grad()
def histogram(preactivations: Tensor) -> Tensor:
    """Count pre-activations [layers, R, width, batch] -> [R, layers, bins]."""
    values = preactivations.flatten(2).movedim(1, 0)
    width = 2 * HISTOGRAM_EDGE / HISTOGRAM_BINS
    places = torch.nan_to_num((values + HISTOGRAM_EDGE) / width, nan=0.0)
    places = places.clamp(0, HISTOGRAM_BINS - 1).long()
    counts = torch.zeros(*values.shape[:2], HISTOGRAM_BINS, dtype=torch.int32)
    return counts.scatter_add_(2, places, torch.ones_like(places, dtype=torch.int32))
