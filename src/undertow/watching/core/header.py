"""What is said of a watched run beside its numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from undertow.trace.record import Header, provenance
from undertow.watching.core.meter import Meter
from undertow.watching.core.schedule import FIRST, Schedule

# What stands first in a header; the rest follows as it comes.
ORDER = ("device", "dtype", "batch_size", "loss_reduction", "amp_scale", "clipping", "accumulation")
ORDER += ("optimizers", "sampling", "overhead", "recorded_steps", "steps", "last_losses")
ORDER += ("shared_weights", "not_seen", "processes", "of_the_first_process", "edges")


def header(
    meter: Meter,
    schedule: Schedule,
    unseen: Mapping[str, str],
    last_losses: Sequence[Sequence[float]],
) -> Header:
    """Return the header of a run, as far as it is known by now."""
    known = {
        **meter.facts(),
        "loss_reduction": "as in the user's loop",
        "clipping": "recorded before any",
        "sampling": sampling(schedule),
        "overhead": schedule.share,
        "recorded_steps": schedule.recorded,
        "steps": schedule.steps,
        "last_losses": last_losses,
        "not_seen": dict(unseen),
    }
    in_order = sorted(known, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    attributes = provenance("watched", **{name: known[name] for name in in_order})
    return Header(meter.layers(), (0,), attributes)


def sampling(schedule: Schedule) -> str:
    """Say which steps are recorded.

    >>> sampling(Schedule(every=50, budget=0.02))
    'steps 1 to 10, those after an anomaly, and every 50th'
    """
    first = f"steps 1 to {FIRST}, those after an anomaly"
    if schedule.every == 1:
        return "every step"
    if schedule.every == "auto":
        return f"{first}, and as many as {100 * schedule.budget:.3g} % of the time allow"
    return f"{first}, and every {schedule.every}th"


def stem(model: str) -> str:
    """Return what a run of a model is called whose user gave no name.

    >>> stem("ResNet_18")
    'resnet-18'
    """
    return re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-") or "model"
