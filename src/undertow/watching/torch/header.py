"""What is said of a watched run beside its numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from undertow.trace.record import Header, provenance
from undertow.watching.core.schedule import FIRST, Schedule
from undertow.watching.torch.grad_scaler import Scale

if TYPE_CHECKING:
    from undertow.watching.torch.meter import Instruments

OF_FIRST = "loss, input_rms and what describes activations: of its part of the batch"


def header(
    instruments: Instruments,
    optimizers: Sequence[Any],
    schedule: Schedule,
    scale: Scale,
    unseen: Mapping[str, str] | None,
    last_losses: Sequence[Sequence[float]],
) -> Header:
    """Return the header of a run, as far as it is known by now."""
    weight = instruments.parameters[0]
    attributes = provenance(
        "watched",
        device=str(weight.device),
        dtype=str(weight.dtype).removeprefix("torch."),
        batch_size=instruments.batch_size or "",
        loss_reduction="as in the user's loop",
        amp_scale=scale.now(),
        clipping="recorded before any",
        accumulation=instruments.accumulation,
        optimizers=", ".join(type(each).__name__ for each in optimizers) or "not watched",
        sampling=_sampling(schedule),
        overhead=schedule.share,
        recorded_steps=schedule.recorded,
        steps=schedule.steps,
        last_losses=last_losses,
        shared_weights=instruments.shared_weights(),
        not_seen=dict(unseen or {}),
        processes=instruments.shares.world if instruments.shares else 1,
        of_the_first_process=OF_FIRST if instruments.shares else "",
    )
    return Header(instruments.layers(), (0,), attributes)


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
