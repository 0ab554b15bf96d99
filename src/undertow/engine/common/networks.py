"""R networks of one shape as one value, whichever engine trains them."""

from __future__ import annotations

from dataclasses import dataclass

from undertow.engine.common.normalisation import Running
from undertow.engine.common.parameters import Parameters
from undertow.spec.network import NetworkSpec


@dataclass(frozen=True)
class Networks:
    """R networks and what a step needs to know of them."""

    spec: NetworkSpec
    parameters: Parameters
    running: Running
    replicates: int
