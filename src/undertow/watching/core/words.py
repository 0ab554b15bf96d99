"""What a watched run says to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from undertow.trace.sinks.store import StoreFile

if TYPE_CHECKING:
    from undertow.watching.core.recorder import Recorder
    from undertow.watching.core.schedule import Schedule

NAMED = 4  # layers named one by one
SKIPPED = "an update was left out: a scaled gradient was not finite"
COUNTS_ITSELF = (
    "w.step is for a loop without an optimizer to watch; here steps are counted by themselves: "
    "type  w.log(loss=loss)"
)


def unseen_line(unseen: Mapping[str, str], count: int) -> str:
    """Say in one line which layers cannot be seen whole, and why.

    >>> unseen_line({"head": "it was not called"}, 3)
    'undertow: 1 of 3 layers cannot be seen whole: head (it was not called)'
    """
    reasons: dict[str, list[str]] = {}
    for name, reason in unseen.items():
        reasons.setdefault(reason, []).append(name)
    parts = [f"{_names(names)} ({reason})" for reason, names in reasons.items()]
    return f"undertow: {len(unseen)} of {count} layers cannot be seen whole: {', '.join(parts)}"


def cost_line(share: float, budget: float, every: int | str) -> str:
    """Say what measuring took.

    >>> cost_line(0.0171, 0.02, "auto")
    'measuring took 1.7 % of the training time (budget 2 %)'
    """
    line = f"measuring took {100 * share:.1f} % of the training time"
    return f"{line} (budget {100 * budget:.3g} %)" if every == "auto" else line


def summary(
    name: str,
    schedule: Schedule,
    recorder: Recorder,
    *,
    unseen: Mapping[str, str],
    count: int,
    trouble: str | None,
) -> str:
    """Say in a few lines what was recorded of a model, at what cost, and what could not be seen."""
    keeper = recorder.keeper
    lines = [
        f"{name}: {schedule.steps:,} steps, {schedule.recorded:,} recorded, "
        f"now every {schedule.interval():,}",
        cost_line(schedule.share, schedule.budget, schedule.every),
    ]
    if isinstance(keeper, StoreFile):
        size = f"{recorder.size / 1e6:.2f} MB of at most {schedule.limit / 1e6:.0f}"
        lines.append(f"run {keeper.run} in {keeper.path}, {size}")
    if unseen:
        lines.append(unseen_line(unseen, count).removeprefix("undertow: "))
    if trouble:
        lines.append(trouble)
    return "\n".join(lines)


def why_empty(failure: str | None, *, has_optimizer: bool) -> str:
    """Say why no step is recorded.

    >>> why_empty("MemoryError", has_optimizer=True)
    'measuring has stopped: MemoryError'
    """
    if failure:
        return f"measuring has stopped: {failure}"
    if has_optimizer:
        return "optimizer.step() was never called while it was watched, or in compiled code only"
    return "w.step(loss) was never called; call it after each backward pass"


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"
