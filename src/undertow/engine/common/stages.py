"""The stages of a training: one, or several of growing depth, the lower layers frozen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from undertow.engine.common.networks import Networks
from undertow.engine.common.normalisation import running_statistics
from undertow.engine.common.parameters import Parameters, initial_parameters
from undertow.errors import SpecError
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec


class Stage(NamedTuple):
    """The network that a stage trains, and how many of its first layers stay as they are."""

    network: NetworkSpec
    frozen: int


def stages(spec: NetworkSpec, training: TrainingSpec) -> list[Stage]:
    """Return the stages of a training.

    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=5, width=10, activation="sigmoid")
    >>> grown = stages(spec, TrainingSpec(stages=((2, 0), (5, 2))))
    >>> [(stage.network.depth, stage.frozen) for stage in grown]
    [(2, 0), (5, 2)]

    Raises
    ------
    SpecError
        The last stage is not the whole network, or a network with skips is to be grown.
    """
    if not training.stages:
        return [Stage(spec, 0)]
    last = training.stages[-1][0]
    if last != spec.depth:
        raise SpecError(
            f"stages {training.stages} end at depth {last}: the network has {spec.depth} hidden "
            "layers, and the last stage must have them all, for example "
            f"({spec.depth}, 0)"
        )
    if training.clip is not None:
        raise SpecError("stages: clipping would count frozen layers; leave clip or stages out")
    if spec.skips:
        raise SpecError("stages: a network with skips cannot be grown; leave the skips out")
    return [Stage(with_changes(spec, depth=depth), frozen) for depth, frozen in training.stages]


def make_stage(
    spec: NetworkSpec,
    drawn_from: Sequence[NetworkSpec],
    seeds: list[int],
    dtype: torch.dtype,
    stage: int,
    trained: Networks | None,
) -> Networks:
    """Make the networks of a stage; what an earlier one trained is kept."""
    drawn_from = [each.model_copy(update={"depth": spec.depth}) for each in drawn_from]
    parameters = initial_parameters(spec, seeds, dtype, stage, drawn_from)
    running = running_statistics(spec, len(seeds), dtype)
    if trained:
        keep_trained(parameters, trained.parameters)
        for ours, theirs in zip((*running,), (*trained.running,), strict=True):
            ours[: len(theirs)] = theirs
    return Networks(spec, parameters, running, len(seeds))


def keep_trained(parameters: Parameters, trained: Parameters) -> None:
    """Give the layers that an earlier stage trained the values it left."""
    layers = len(trained.weights) - 1  # the output layer is a new one
    for ours, theirs in zip(
        _hidden_tensors(parameters, layers), _hidden_tensors(trained, layers), strict=True
    ):
        ours.copy_(theirs)


def freeze(update: Parameters, frozen: int) -> None:
    """Leave the first `frozen` layers out of an update."""
    for part in _hidden_tensors(update, frozen):
        part.zero_()


def _hidden_tensors(parameters: Parameters, layers: int) -> list[torch.Tensor]:
    kinds = (parameters.weights, parameters.biases, parameters.scales, parameters.shifts)
    return [tensor for kind in kinds for tensor in kind[:layers]]
