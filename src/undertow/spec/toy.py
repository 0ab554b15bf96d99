"""A small two-dimensional data set, in words and numbers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, field_validator

from undertow.errors import UnknownName
from undertow.spec.checked import build_checked

SHAPES = ("moons", "circles", "blobs", "table")


FEWEST, MOST = 20, 5_000  # samples of a table


class ToySpec(BaseModel):
    """Two classes in a plane: what is drawn, how much noise, and on what scale it is handed over.

    >>> ToySpec(shape="moons").samples
    250

    Parameters
    ----------
    shape : str
        `moons`, `circles`, `blobs`, or `table`: the user's own samples.
    samples, seed : int
        How many are drawn, and from which seed. A fifth is held out as a test set.
    noise : float
        Standard deviation of what is added to each coordinate; of blobs, their own.
    standardised : bool
        Take off the training set's mean and divide by its standard deviation, feature by feature.
    scale, offset : float
        Then multiply by the one and add the other: units of measure.

    Raises
    ------
    SpecError
        Any value out of its range, in one line that names it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    shape: str = "moons"
    samples: Annotated[int, Field(ge=FEWEST, le=MOST)] = 250
    noise: Annotated[float, Field(ge=0, le=2)] = 0.05
    seed: NonNegativeInt = 42
    standardised: bool = False
    scale: Annotated[float, Field(gt=0)] = 1.0
    offset: float = 0.0

    def __init__(self, **values: Any) -> None:
        build_checked(super().__init__, values)

    @field_validator("shape")
    @classmethod
    def _known_shape(cls, name: str) -> str:
        if name not in SHAPES:
            raise UnknownName("data set", name, SHAPES)
        return name
