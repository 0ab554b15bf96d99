"""What a network and its training are, in words and numbers: values, no framework."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from undertow.errors import SpecError
from undertow.spec.checked import build_checked
from undertow.spec.names import (
    ACTIVATIONS,
    GRADIENTS,
    NORMALISATIONS,
    check_name,
    parse_initialisation,
)


class NetworkSpec(BaseModel):
    """A fully connected network: `depth` hidden layers of `width` units and a linear output layer.

    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> spec.parameters
    1031

    Parameters
    ----------
    inputs, outputs : int
        Features of a sample, and units of the last layer.
    depth, width : int
        Hidden layers, and units in each.
    activation : str
        One of `ACTIVATIONS`, after every hidden layer.
    initialisation : str
        A name of Keras's (`glorot_uniform`, `he_normal`, ...), `torch_default`, `orthogonal`,
        `normal(s)` (standard deviation s), `scaled_normal(v, b)` (weights of variance v/fan_in,
        biases of variance b), or `centred_normal(v)` (weights of variance v/fan_in, and above
        layer 1 the biases that take off a sigmoid's mean of 1/2).
    head_initialisation : str, optional
        Of the output layer, where it differs.
    gain : float
        Every initial weight is multiplied by it.
    normalisation : str
        `none`, `batch`, `layer` or `tensor`; between a hidden layer and its activation.
    skips : tuple of (int, int), or "identity"
        (a, b): the output of hidden layer a is added to the output of hidden layer b.
        "identity" stands for ((1, 2), (2, 3), ...).
    branch_scale : float
        At a layer that receives a skip, its own output is multiplied by it before the addition.
    gradient : str
        What happens to dE/dx behind each activation on its way back: `plain`, nothing;
        `standardised`, mean 0 and standard deviation 1 over the whole tensor; `unit`, scaled to a
        norm of 1.

    Raises
    ------
    SpecError
        Any value out of its range, in one line that names it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    inputs: PositiveInt
    outputs: PositiveInt
    depth: PositiveInt
    width: PositiveInt
    activation: str
    initialisation: str = "glorot_uniform"
    head_initialisation: str | None = None
    gain: PositiveFloat = 1.0
    normalisation: str = "none"
    skips: tuple[tuple[PositiveInt, PositiveInt], ...] = ()
    branch_scale: Annotated[float, Field(ge=0)] = 1.0
    gradient: str = "plain"

    def __init__(self, **values: Any) -> None:
        build_checked(super().__init__, values)

    @field_validator("activation")
    @classmethod
    def _known_activation(cls, name: str) -> str:
        return check_name("activation", name, ACTIVATIONS)

    @field_validator("initialisation", "head_initialisation")
    @classmethod
    def _known_initialisation(cls, text: str | None) -> str | None:
        if text is not None:
            parse_initialisation(text)
        return text

    @field_validator("normalisation")
    @classmethod
    def _known_normalisation(cls, name: str) -> str:
        return check_name("normalisation", name, NORMALISATIONS)

    @field_validator("gradient")
    @classmethod
    def _known_gradient(cls, name: str) -> str:
        return check_name("gradient", name, GRADIENTS)

    @model_validator(mode="before")
    @classmethod
    def _identity_skips(cls, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("skips") == "identity":
            depth = values.get("depth")
            last = depth if isinstance(depth, int) else 1
            return values | {"skips": tuple((layer, layer + 1) for layer in range(1, last))}
        return values

    @model_validator(mode="after")
    def _skips_run_forward(self) -> NetworkSpec:
        for start, end in self.skips:
            if not start < end <= self.depth:
                raise SpecError(
                    f"skip ({start}, {end}): it must run forward between hidden layers "
                    f"1 to {self.depth}, for example (1, 3)"
                )
        return self

    @property
    def layer_shapes(self) -> tuple[tuple[int, int], ...]:
        """(fan_in, fan_out) of every layer, the output layer last."""
        widths = (self.inputs, *(self.width,) * self.depth, self.outputs)
        return tuple(pairwise(widths))

    @property
    def layer_names(self) -> tuple[str, ...]:
        """`hidden_1` ... `output`."""
        return (*(f"hidden_{layer}" for layer in range(1, self.depth + 1)), "output")

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        dense = sum(fan_in * fan_out + fan_out for fan_in, fan_out in self.layer_shapes)
        scale_and_shift = 2 * self.width * self.depth
        return dense + (scale_and_shift if self.normalisation in ("batch", "layer") else 0)
