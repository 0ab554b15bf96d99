"""What a study's runs show as a JSON document, key by key: docs/json.md is made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from typing_extensions import TypedDict

from undertow.remedies.discussion import RemedyDiscussion
from undertow.trace.schema import VARIABLES


class AccuracySummary(TypedDict):
    """Test accuracy over the replicates, at the end."""

    mean: Annotated[float | None, "mean share"]
    sd: Annotated[float | None, "standard deviation, by n - 1"]
    median: Annotated[float | None, "median"]
    iqm: Annotated[float | None, "mean of the middle half"]
    ci95: Annotated[list[float] | None, "95 % BCa interval of the mean"]
    stuck: Annotated[int, "how many networks are stuck"]
    stuck_ci95: Annotated[list[float] | None, "95 % Wilson interval of their share"]
    values: Annotated[list[float | None], "each replicate's"]


class FirstAndLast(TypedDict):
    """A median over the replicates at both ends of the training."""

    first: Annotated[float | None, "at step 1"]
    last: Annotated[float | None, "mean of the last epoch"]


if TYPE_CHECKING:
    LayerSummary = dict[str, Any]
else:
    LayerSummary = TypedDict(
        "LayerSummary",
        {"name": Annotated[str, "the layer"], "depth": Annotated[int, "its place, 1 at the inputs"]}
        | {
            name: Annotated[
                FirstAndLast,
                f"{each.meaning} (unit: {each.unit}): medians over replicates".replace("|", "\\|"),
            ]
            for name, each in VARIABLES.items()
            if each.of_arms and "layer" in each.dims
        },
    )
    LayerSummary.__doc__ = "One layer's quantities."


class WeightChange(TypedDict):
    """The published stand-ins for a gradient: medians over the replicates."""

    percent: Annotated[float | None, "mean \\|100 (W_end - W_start) / W_start\\|"]
    over_learning_rate: Annotated[float | None, "mean \\|W_end - W_start\\| / learning rate"]


class TheorySummary(TypedDict):
    """What theory expects of step 1."""

    log10_grad_norm: Annotated[
        list[float | None], "of every layer, root mean squares over initialisations"
    ]
    disagreement_dex: Annotated[
        list[float | None], "log10 of the measured root mean square over the expected one, dex"
    ]
    median_dex: Annotated[float | None, "the median of its size, dex"]


class ArmSummary(TypedDict):
    """One arm in numbers."""

    name: Annotated[str, "the arm"]
    run: Annotated[str, "its id in the store"]
    parameters: Annotated[int, "numbers that one network trains"]
    test_accuracy: Annotated[AccuracySummary, "over replicates, at the end"]
    train_loss: Annotated[FirstAndLast, "medians over replicates"]
    layers: Annotated[list[LayerSummary], "from the inputs on"]
    first_layer_weight_change: Annotated[WeightChange, "medians over replicates"]
    total_dex: Annotated[
        float | None,
        "median over replicates at step 1; null where the last layers are not there yet, as in "
        "layer-wise training",
    ]
    theory: Annotated[
        TheorySummary | None, "what theory expects of step 1; null where it has nothing to say"
    ]


class ComparisonSummary(TypedDict):
    """Test accuracy of an arm against the baseline, paired by seed."""

    arm: Annotated[str, "the arm"]
    baseline: Annotated[str, "what it is compared with"]
    difference: Annotated[float | None, "mean difference of test accuracy"]
    ci95: Annotated[list[float] | None, "its 95 % interval, Student's t"]
    p_value: Annotated[
        float | None,
        "exact sign-flip test; null with fewer than 6 seeds, which can never reach p < .05",
    ]
    p_holm: Annotated[float | None, "the same after Holm over the arms"]
    probability_of_improvement: Annotated[
        float | None, "chance that a replicate of the arm does better than one of the baseline"
    ]
    note: Annotated[str, "why a number cannot be had; else empty"]


class ClaimSummary(TypedDict):
    """A published claim, judged by these runs."""

    claim: Annotated[str, "the published sentence"]
    verdict: Annotated[
        Literal["supported", "contradicted", "depends", "not tested"],
        "what became of it; not tested where an arm lacks, or seeds are too few",
    ]
    evidence: Annotated[str, "the numbers that say so"]


class StudySummary(TypedDict):
    """What the runs of a study show."""

    arms: Annotated[list[ArmSummary], "each arm in numbers"]
    discussion: Annotated[list[RemedyDiscussion], "what speaks for and against each remedy"]
    comparisons: Annotated[list[ComparisonSummary], "each arm against the baseline"]
    claims: Annotated[list[ClaimSummary], "what these runs say of what is claimed"]
