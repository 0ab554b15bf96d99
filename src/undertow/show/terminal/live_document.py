"""A run's newest step as a JSON document, key by key: docs/json.md is made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired

from typing_extensions import TypedDict

from undertow.trace.schema import VARIABLES

if TYPE_CHECKING:
    WatchedLayer = dict[str, Any]
else:
    WatchedLayer = TypedDict(
        "WatchedLayer",
        {
            "name": Annotated[str, "the layer"],
            "kind": Annotated[str, "the kind of its module"],
            "depth": Annotated[int, "its place, 1 at the inputs"],
        }
        | {
            name: NotRequired[
                Annotated[float | None, f"{each.meaning} (unit: {each.unit})".replace("|", "\\|")]
            ]
            for name, each in VARIABLES.items()
            if "layer" in each.dims
        },
    )


class EventDocument(TypedDict):
    """Something that happened."""

    kind: Annotated[str, "what, as the trace schema lists it"]
    step: Annotated[int, "when"]
    layer: Annotated[str | None, "where; null for the whole network"]
    replicate: Annotated[int | None, "in which network, the first is 0; null for all"]
    detail: Annotated[str, "in words"]


class WatchDocument(TypedDict):
    """What `undertow watch --json` prints: the newest step of a run.

    What a run does not measure is absent. NaN and Inf are null, with `nonfinite` above 0 where they
    are true. The variables of a layer are those of the [trace schema](trace-schema.md).
    """

    run: Annotated[str, "its id"]
    name: Annotated[str, "its name"]
    source: Annotated[Literal["watched", "trained", "predicted"], "who wrote it"]
    state: Annotated[Literal["running", "finished", "interrupted"], "how it stands"]
    replicate: Annotated[
        int, "which network is shown: of a run of several, the first of those written last"
    ]
    replicates: Annotated[int, "networks of the run"]
    step: Annotated[int | None, "the newest recorded step; null before the first"]
    steps: Annotated[int | None, "all steps; null until the run has ended"]
    sampling_interval: Annotated[
        int | None, "how far the newest recorded step lies from the one before"
    ]
    loss: NotRequired[Annotated[float | None, "at that step"]]
    learning_rate: NotRequired[Annotated[float | None, "at that step"]]
    overhead: NotRequired[
        Annotated[
            float | None,
            "share of the time that measuring takes: since the record before; of a run that has "
            "ended, on the whole",
        ]
    ]
    layers_step: Annotated[
        int | None, "the newest step at which a layer was measured: that of `layers`"
    ]
    layers: Annotated[list[WatchedLayer], "from the inputs on"]
    events: Annotated[list[EventDocument], "the last hundred, in the order of their steps"]
