"""The JSON document of each command, key by key: docs/json.md is made from them.

Those that a room above makes have their type there.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from typing_extensions import TypedDict

from undertow.diagnosis.document import DiagnoseDocument
from undertow.explanation.document import BudgetDocument
from undertow.show.terminal.live_document import WatchDocument
from undertow.studies.summary_document import StudySummary

STORE = Annotated[str, "the store's file"]
REPORT = Annotated[str | None, "the report's file; null where none was asked for"]


class StudyRun(TypedDict):
    """What was asked for, and what this call did."""

    experiment: Annotated[str, "the study"]
    seed: Annotated[int, "the first replicate's seed; the next have `seed` + 1, ..."]
    replicates: Annotated[int, "networks an arm"]
    epochs: Annotated[int, "passes over the data"]
    networks: Annotated[int, "replicates trained in this call: 0 where the store held them already"]
    seconds: Annotated[float, "wall time of training and measuring in this call"]
    store: STORE
    report: REPORT


class RunDocument(StudyRun, StudySummary):
    """What `undertow run --json` prints: what a study's runs show.

    *Stuck*: test accuracy not above the share of the larger test class, or one class predicted for
    all.
    """


class PredictedLayer(TypedDict):
    """What theory expects of one layer."""

    depth: Annotated[int, "its place, 1 at the inputs"]
    log10_grad_norm: Annotated[
        float | None, "log10 of \\|dE/dW\\|, of root mean squares over initialisations"
    ]
    log10_delta_norm: Annotated[float | None, "the same of delta"]
    sd_dex: Annotated[
        float | None,
        "standard deviation of one network's log10 \\|dE/dW\\|; null with normalisation, skips or "
        "convolutions",
    ]


class PredictDocument(TypedDict):
    """What `undertow predict --json` prints: gradients from theory; nothing is trained."""

    layers: Annotated[list[PredictedLayer], "from the inputs on"]
    total_dex: Annotated[
        float | None, "log10 of delta at the first over delta at the last hidden layer"
    ]
    caution: Annotated[str | None, "why the scatter is wide and its tails long, or null"]


class CriticalPointDocument(TypedDict):
    """What `undertow critical --json` prints where there is a critical point."""

    activation: Annotated[str, "the activation"]
    weight_variance: Annotated[float, "critical variance of the weights, times fan-in"]
    bias_variance: Annotated[float, "variance of the biases"]
    fixed_point: Annotated[
        float | None, "variance at which pre-activations settle; null where every variance is one"
    ]
    stable: Annotated[bool, "whether they return to it"]


class NoCriticalPointDocument(TypedDict):
    """What it prints where there is none; exit status 1."""

    critical: Annotated[None, "null"]
    reason: Annotated[str, "why there is no critical point"]


CriticalDocument = CriticalPointDocument | NoCriticalPointDocument


class ExplainDocument(BudgetDocument):
    """What `undertow explain --json` prints: where every decade of the gradient went."""

    summary: Annotated[str, "the budget in a sentence"]


class AtlasCellDocument(TypedDict):
    """One cell of the map."""

    depth: Annotated[int, "hidden layers"]
    weight_variance: Annotated[float, "fan_in Var W"]
    replicates: Annotated[int, "networks of the cell"]
    trained_fraction: Annotated[
        float, "share whose test accuracy lies nearer to 1 than to naming one class"
    ]


class AtlasDocument(TypedDict):
    """What `undertow atlas --json` prints: the trainability map of an activation."""

    activation: Annotated[str, "of all networks"]
    networks: Annotated[int, "trained by this call: 0 where all were in the store already"]
    seconds: Annotated[float, "time that it took"]
    cells: Annotated[list[AtlasCellDocument], "depth by depth"]
    summary: Annotated[str, "the map in a sentence"]
    store: STORE
    report: REPORT


class ListedRun(TypedDict):
    """A run of a store. `undertow runs --json` prints a list of them, the newest last."""

    id: Annotated[str, "what names it"]
    name: Annotated[str, "what it is called"]
    state: Annotated[Literal["running", "finished", "interrupted"], "how it stands"]
    created: Annotated[str, "when it was begun, UTC"]
    replicates: Annotated[int, "networks"]
    finished_replicates: Annotated[int, "those that are trained to their end"]
    seconds: Annotated[float, "time of training, summed over processes"]
    source: Annotated[Literal["watched", "trained", "predicted"], "who wrote it"]
    attributes: Annotated[
        dict[str, Any], "what else is known of it, as the [trace schema](trace-schema.md) lists it"
    ]
    step: Annotated[int | None, "the last recorded step; null before the first"]


RunsDocument = list[ListedRun]


class ListedArm(TypedDict):
    """An arm of an experiment."""

    name: Annotated[str, "what `--arm` takes"]
    note: Annotated[str, "what it changes, or who chose it"]


class ListedExperiment(TypedDict):
    """A built-in experiment. `undertow list --json` prints a list of them."""

    experiment: Annotated[str, "what `undertow run` takes"]
    title: Annotated[str, "what it is"]
    arms: Annotated[list[ListedArm], "its configurations"]


ListDocument = list[ListedExperiment]

# Command -> the type of what its --json prints.
DOCUMENTS: dict[str, Any] = {
    "run": RunDocument,
    "predict": PredictDocument,
    "critical": CriticalDocument,
    "explain": ExplainDocument,
    "diagnose": DiagnoseDocument,
    "watch": WatchDocument,
    "atlas": AtlasDocument,
    "runs": RunsDocument,
    "list": ListDocument,
}
