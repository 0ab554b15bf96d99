"""One long skip."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="skip",
    strength="A gradient takes the short way: it crosses three layers in place of seven.",
    weakness="The layers off the short way still get little.",
    applies="At any depth, best around every layer or two, with branches scaled down.",
)
