"""What a network and its training are, in words and numbers: values, no framework."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from undertow.errors import SpecError, UnknownName

ACTIVATIONS = (
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "softplus",
    "hard_tanh",
    "linear",
)

# Each name with the numbers it takes in brackets: normal(0.05) has standard deviation 0.05.
INITIALISATIONS = {
    "glorot_uniform": 0,
    "glorot_normal": 0,
    "he_uniform": 0,
    "he_normal": 0,
    "lecun_uniform": 0,
    "lecun_normal": 0,
    "torch_default": 0,
    "orthogonal": 0,
    "normal": 1,
    "scaled_normal": 2,
    "centred_normal": 1,
}

NORMALISATIONS = ("none", "batch", "layer", "tensor")
GRADIENTS = ("plain", "standardised", "unit")
OPTIMIZERS = ("sgd", "adam", "keras_adam")
LOSSES = ("binary_cross_entropy", "cross_entropy")

Spec = TypeVar("Spec", bound=BaseModel)
Fraction = Annotated[float, Field(ge=0, lt=1)]


@cache
def parse_initialisation(text: str) -> tuple[str, tuple[float, ...]]:
    """Split an initialisation into its name and its numbers.

    >>> parse_initialisation("normal(0.05)")
    ('normal', (0.05,))
    >>> parse_initialisation("he_normal")
    ('he_normal', ())
    """
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*", text)
    if match is None or match.group(1) not in INITIALISATIONS:
        raise UnknownName("initialisation", match.group(1) if match else text, INITIALISATIONS)
    name = match.group(1)
    count = INITIALISATIONS[name]
    try:
        numbers = tuple(float(part) for part in (match.group(2) or "").split(",") if part.strip())
        right = len(numbers) == count and all(0 <= number < float("inf") for number in numbers)
    except ValueError:
        numbers, right = (), False
    if not right:
        example = f"{name}({', '.join(['0.05', '0.01'][:count])})" if count else name
        raise SpecError(
            f"initialisation '{text}': {name} takes {count} "
            f"number{'s' * (count != 1)} of 0 or more; type  {example}"
        )
    return name, numbers


def _allowed(kind: str, name: Any, names: tuple[str, ...]) -> Any:
    if name not in names:
        raise UnknownName(kind, str(name), names)
    return name


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
        validated(super().__init__, values)

    @field_validator("activation")
    @classmethod
    def _known_activation(cls, name: str) -> str:
        return _allowed("activation", name, ACTIVATIONS)

    @field_validator("initialisation", "head_initialisation")
    @classmethod
    def _known_initialisation(cls, text: str | None) -> str | None:
        if text is not None:
            parse_initialisation(text)
        return text

    @field_validator("normalisation")
    @classmethod
    def _known_normalisation(cls, name: str) -> str:
        return _allowed("normalisation", name, NORMALISATIONS)

    @field_validator("gradient")
    @classmethod
    def _known_gradient(cls, name: str) -> str:
        return _allowed("gradient", name, GRADIENTS)

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
        validated(super().__init__, values)

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
        return _allowed("optimizer", name, OPTIMIZERS)


def changed(spec: Spec, **changes: Any) -> Spec:
    """Return `spec` with some values changed, validated again.

    >>> net = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> changed(net, depth=2).depth
    2
    """
    return type(spec)(**(spec.model_dump() | changes))


def validated(build: Any, values: dict[str, Any]) -> None:
    """Let pydantic build a spec; what it refuses becomes one line."""
    try:
        build(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "value"
        said = first["msg"].removeprefix("Value error, ").lower()
        came = values.get(str(first["loc"][0])) if first["loc"] else values
        raise SpecError(f"{where} = {came!r}: {said}") from None
