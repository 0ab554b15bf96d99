"""A meter in plain NumPy keeps the promises that the one of PyTorch keeps: one folder is enough."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance import numpy_world
from tests.conformance.case import Case
from tests.conformance.numpy_net import batch
from tests.conformance.numpy_watch import NumpyWatch
from tests.conformance.numpy_world import CASES
from tests.conformance.promises import PROMISES, Promise


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_numpy_meter_keeps(promise: Promise, case: Case) -> None:
    promise(numpy_world, NumpyWatch, case)


def test_the_gradients_by_hand_are_those_of_the_loss():
    """Central differences of the loss, entry by entry."""
    with numpy_world.begun(CASES[0], np.float64) as (net, _):
        net.forward_backward(*batch(1, np.float64), 1.0)
        for layer in net.layers:
            found = np.zeros_like(layer.weight)
            for place in np.ndindex(*layer.weight.shape):
                kept = layer.weight[place]
                losses = []
                for moved in (kept + 1e-6, kept - 1e-6):
                    layer.weight[place] = moved
                    losses.append(net.loss(*batch(1, np.float64)))
                layer.weight[place] = kept
                found[place] = (losses[0] - losses[1]) / 2e-6
            assert found == pytest.approx(layer.weight_grad, rel=1e-6, abs=1e-9)
