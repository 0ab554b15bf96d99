"""What is said of a watched run beside its numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from undertow.trace.record import Header, provenance
from undertow.watching.core.schedule import FIRST, Schedule
from undertow.watching.torch.grad_scaler import LossScale

if TYPE_CHECKING:
    from undertow.watching.torch.meter import TorchMeter

OF_FIRST = "loss, input_rms and what describes activations: of its part of the batch"


def header(
    meter: TorchMeter,
    optimizers: Sequence[Any],
    schedule: Schedule,
    scale: LossScale,
    unseen: Mapping[str, str] | None,
    last_losses: Sequence[Sequence[float]],
) -> Header:
    """Return the header of a run, as far as it is known by now."""
    weight = meter.parameters[0]
    attributes = provenance(
        "watched",
        device=str(weight.device),
        dtype=str(weight.dtype).removeprefix("torch."),
        batch_size=meter.batch_size or "",
        loss_reduction="as in the user's loop",
        amp_scale=scale.now(),
        clipping="recorded before any",
        accumulation=meter.accumulation,
        optimizers=", ".join(type(each).__name__ for each in optimizers) or "not watched",
        sampling=_sampling(schedule),
        overhead=schedule.share,
        recorded_steps=schedule.recorded,
        steps=schedule.steps,
        last_losses=last_losses,
        shared_weights=meter.shared_weights(),
        not_seen=dict(unseen or {}),
        processes=meter.shares.world if meter.shares else 1,
        of_the_first_process=OF_FIRST if meter.shares else "",
    )
    return Header(meter.layers(), (0,), attributes)


def _sampling(schedule: Schedule) -> str:
    first = f"steps 1 to {FIRST}, those after an anomaly"
    if schedule.every == 1:
        return "every step"
    if schedule.every == "auto":
        return f"{first}, and as many as {100 * schedule.budget:.3g} % of the time allow"
    return f"{first}, and every {schedule.every}th"


def stem(model: nn.Module) -> str:
    """Return what a run is called whose user gave no name.

    >>> stem(nn.Sequential())
    'sequential'
    """
    return re.sub(r"[^a-z0-9]+", "-", type(model).__name__.lower()).strip("-") or "model"
