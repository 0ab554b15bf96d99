"""The JSON document of a diagnosis, key by key: docs/json.md is made from it."""

from __future__ import annotations

from typing import Annotated, Literal

from typing_extensions import TypedDict


class RootCauseDocument(TypedDict):
    """The one cause, and what helps."""

    code: Annotated[str, "the rule that found it, as `UT101`"]
    title: Annotated[str, "the cause in a word or two"]
    layers: Annotated[list[str], "names of layers, the first to look at first"]
    evidence: Annotated[str, "what was measured, in a sentence"]
    remedies: Annotated[list[str], "names of what helps, most effect first"]
    advice: Annotated[list[str], "the same in words"]


class FindingDocument(TypedDict):
    """A fault that was found."""

    code: Annotated[str, "the rule that found it"]
    title: Annotated[str, "the fault in a word or two"]
    severity: Annotated[str, "how grave a fault of this kind is"]
    layers: Annotated[list[str], "names of the layers at fault"]
    evidence: Annotated[str, "what was measured, in a sentence"]
    share: Annotated[float, "share of the replicates that have it"]
    at_start: Annotated[bool, "whether it is there at step 1, in most of them"]
    symptom: Annotated[bool, "whether it follows from another fault in every replicate"]


class RuleDocument(TypedDict):
    """What became of one rule."""

    code: Annotated[str, "the rule"]
    outcome: Annotated[
        Literal["found", "passed", "not applicable", "not measured"], "what became of it"
    ]
    reason: Annotated[str, "why, in a sentence"]


class DiagnoseDocument(TypedDict):
    """What `undertow diagnose --json` prints.

    Exit status: 0 healthy, 1 sick, 3 undecided, 2 bad use.
    """

    outcome: Annotated[Literal["healthy", "sick", "undecided"], "the verdict"]
    reason: Annotated[str, "why it is undecided, or what a healthy network lacks nonetheless"]
    root_cause: Annotated[RootCauseDocument | None, "what the rest follows from"]
    findings: Annotated[list[FindingDocument], "all that was found, the root first"]
    rules: Annotated[list[RuleDocument], "every rule once"]
    notes: Annotated[list[str], "layers that take no part in the training, which is no fault"]
