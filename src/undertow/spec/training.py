"""How a network is trained, in words and numbers."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from undertow.errors import SpecError
from undertow.spec.checked import build_checked
from undertow.spec.names import OPTIMIZERS, check_name

Fraction = Annotated[float, Field(ge=0, lt=1)]


class TrainingSpec(BaseModel):
    """How a network is trained.

    >>> TrainingSpec(optimizer="keras_adam", epochs=100).epsilon
    1e-07

    Parameters
    ----------
    optimizer : str
        `sgd`, `adam` (PyTorch's form), or `keras_adam` (epsilon added before the bias correction).
    learning_rate, momentum, beta1, beta2, epsilon : float
        The optimizer's constants; epsilon defaults to the framework's, 1e-8 or 1e-7.
    batch_size, epochs : int
        Samples a step, and passes over the data. The last batch of an epoch may be smaller.
    clip : float, optional
        Where the norm of a network's whole gradient is larger, the gradient is scaled down to it.
    stages : tuple of (int, int)
        Layer-wise training: (depth, frozen) of each stage, every one of `epochs` epochs. A stage
        trains the first `depth` hidden layers but for the first `frozen`, under a new output
        layer; what is trained is kept. Without stages the whole network is trained at once.
    loss : str
        `binary_cross_entropy` (one logit) or `cross_entropy` (one logit a class).

    Raises
    ------
    SpecError
        Any value out of its range, in one line that names it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    optimizer: str = "sgd"
    learning_rate: PositiveFloat = 1e-3
    momentum: Fraction = 0.0
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: PositiveFloat = 1e-8
    batch_size: PositiveInt = 32
    epochs: PositiveInt = 100
    clip: PositiveFloat | None = None
    stages: tuple[tuple[PositiveInt, NonNegativeInt], ...] = ()
    loss: Literal["binary_cross_entropy", "cross_entropy"] = "binary_cross_entropy"

    def __init__(self, **values: Any) -> None:
        build_checked(super().__init__, values)

    @model_validator(mode="before")
    @classmethod
    def _framework_epsilon(cls, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("optimizer") == "keras_adam":
            return {"epsilon": 1e-7} | values
        return values

    @model_validator(mode="after")
    def _stages_grow(self) -> TrainingSpec:
        for (shorter, _), (depth, _) in pairwise(self.stages):
            if depth <= shorter:
                raise SpecError(
                    f"stages {self.stages}: each must be deeper than the one before, "
                    "for example ((2, 0), (4, 2))"
                )
        trained = 0
        for depth, frozen in self.stages:
            if frozen > trained:
                raise SpecError(
                    f"stage ({depth}, {frozen}): only layers that an earlier stage has trained can "
                    f"be frozen; type  ({depth}, {trained})"
                )
            trained = depth
        return self

    @field_validator("optimizer")
    @classmethod
    def _known_optimizer(cls, name: str) -> str:
        return check_name("optimizer", name, OPTIMIZERS)
