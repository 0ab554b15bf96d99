"""The theory of one batch, asked in one line: what is of the network, and what of the batch."""

from __future__ import annotations

from typing import Any

from undertow.theory.batch.gradients import BatchGradients, RandomNetwork, batch_gradients


def gradients(
    activation: Any, kernel: Any, widths: Any, weight_variance: Any, *bias: Any, **options: Any
) -> BatchGradients:
    """Predict the gradients of one batch; each option goes to the value that has it."""
    of_network = {name: options.pop(name) for name in RandomNetwork._fields if name in options}
    network = RandomNetwork(activation, widths, weight_variance, *bias, **of_network)
    return batch_gradients(network, kernel, **options)
