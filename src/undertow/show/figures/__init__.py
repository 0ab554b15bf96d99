"""The figures of a study, one idea a file; each function takes {arm: trace}, returns a chart.

    data                the samples
    activation          the activation functions; pre-activations over the slope
    profile             gradient and delta by layer, at step 1 and at the end
    profile_over_time   the same over the whole training, on one layer axis
    heatmap             the gradient by layer over the whole training
    epochs              the gradient of every layer, epoch by epoch
    curves              loss and accuracy over time
    spikes              the size of the whole gradient, and what happened on the way
    outcomes            stuck or learned; test accuracy
    ranking             the arms in order, against the baseline
    weight_change       change of the first weights beside the true gradient
    decision_surface    the answer over the plane of the inputs
    weights             layer 1 before and after
    waterfall           where the decades went, by cause and by layer
    atlas               which networks train, over depth and weight variance

A new figure is one file and one entry in `KINDS`, in the order of the report. `ranking` draws what
was computed from several traces, and takes the run's document instead.
"""

from __future__ import annotations

from undertow.show.figure import Kind
from undertow.show.figures.activation import FUNCTION_CURVES, PREACTIVATIONS
from undertow.show.figures.curves import ACCURACY, LOSS
from undertow.show.figures.data import DATA
from undertow.show.figures.decision_surface import DECISION_SURFACE
from undertow.show.figures.epochs import EPOCHS
from undertow.show.figures.heatmap import HEATMAP
from undertow.show.figures.outcomes import STUCK, TEST_ACCURACY
from undertow.show.figures.profile import DELTAS, GRADIENTS
from undertow.show.figures.weight_change import WEIGHT_CHANGE
from undertow.show.figures.weights import WEIGHTS

KINDS: tuple[Kind, ...] = (
    GRADIENTS,
    DELTAS,
    STUCK,
    TEST_ACCURACY,
    WEIGHT_CHANGE,
    HEATMAP,
    EPOCHS,
    LOSS,
    ACCURACY,
    DATA,
    DECISION_SURFACE,
    FUNCTION_CURVES,
    PREACTIVATIONS,
    WEIGHTS,
)
