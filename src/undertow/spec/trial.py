"""A trial, in words and numbers: some seeds of one network on one small data set."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from undertow.spec.checked import build_checked, with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.toy import ToySpec
from undertow.spec.training import TrainingSpec

MOST_LAYERS, MOST_UNITS, MOST_SEEDS, MOST_EPOCHS = 50, 64, 64, 500


class Trial(BaseModel):
    """What is trained, how, on what, and from which seeds.

    >>> net = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> Trial(network=net).seeds
    (0, 1, 2, 3, 4, 5, 6, 7)

    Parameters
    ----------
    data, network, training : ToySpec, NetworkSpec, TrainingSpec
    replicates, seed : int
        So many networks, from this seed on.

    Raises
    ------
    SpecError
        Any value out of its range, in one line that names it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: ToySpec = ToySpec()
    network: NetworkSpec
    training: TrainingSpec = TrainingSpec(optimizer="keras_adam")
    replicates: Annotated[int, Field(ge=1, le=MOST_SEEDS)] = 8
    seed: NonNegativeInt = 0

    def __init__(self, **values: Any) -> None:
        build_checked(super().__init__, values)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each replicate."""
        return tuple(range(self.seed, self.seed + self.replicates))


def with_network(trial: Trial, **changes: object) -> Trial:
    """Return a trial with some values of its network changed, validated again.

    >>> net = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> with_network(Trial(network=net), depth=3).network.depth
    3
    """
    return trial.model_copy(update={"network": with_changes(trial.network, **changes)})


def with_training(trial: Trial, **changes: object) -> Trial:
    """Return a trial with some values of its training changed, validated again.

    >>> net = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> with_training(Trial(network=net), epochs=3).training.epochs
    3
    """
    return trial.model_copy(update={"training": with_changes(trial.training, **changes)})
