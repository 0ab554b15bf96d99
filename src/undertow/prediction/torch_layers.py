"""A PyTorch network's layers of weights, gathered in the order in which the inputs meet them."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn

from undertow.activations.activation import named
from undertow.errors import SpecError
from undertow.prediction.chain import Chain
from undertow.prediction.torch_pictures import (
    Picture,
    average_over,
    check_size,
    conv_reading,
    flat_reading,
    name_errors,
)
from undertow.theory.batch.convolutions import Taps

# What a network of the laboratory may have, by what PyTorch calls it; an Identity is no layer.
KNOWN = [each for each in named().values() if each.in_networks and each.name != "linear"]
CALLED = [(each.name, called) for each in KNOWN for called in each.torch]
SUPPORTED = (
    f"Linear, Conv2d, {', '.join(called for _, called in CALLED if hasattr(nn, called))}, "
    "BatchNorm1d and 2d, LayerNorm, AvgPool2d, AdaptiveAvgPool2d, Flatten, Identity, Dropout at "
    "rate 0, and x + f(x) around them"
)


class Value(NamedTuple):
    """What a node of the graph is: layer `layer` (0 the inputs), at `stage` of it.

    Stages are z (the linear map's output), normed, x (the activation) and sum (with a skip added).
    `picture` is None where a sample has no positions.
    """

    layer: int
    stage: str
    picture: Picture | None = None


class Hidden(NamedTuple):
    """One weight layer as it is gathered."""

    name: str
    linear: nn.Linear | nn.Conv2d
    reading: Taps | None = None
    normalisation: str = "none"
    activation: str | None = None


class Layers:
    """The layers of a chain as they are met, and what is refused on the way."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.layers: list[Hidden] = []
        self.skips: list[tuple[int, int]] = []

    def chain(self, end: Value | None) -> Chain:
        """Return them as the chain that ends in a value."""
        if not self.layers:
            raise SpecError(f"no Linear or Conv2d layer: the theory knows {SUPPORTED}")
        last = self.layers[-1]
        if end is None or end[:2] != (len(self.layers), "z"):
            what = f"a {last.activation}" if last.activation else "an addition or a norm"
            raise SpecError(
                f"after '{last.name}': the network ends in {what}; give it without, so that the "
                "loss takes logits"
            )
        if end.picture and end.picture.size != (1, 1):
            raise SpecError(
                f"after '{last.name}': the network ends in a picture of {end.picture.size}; "
                "the theory takes one answer a sample"
            )
        linears = [layer.linear for layer in self.layers]
        readings = tuple(layer.reading for layer in self.layers)
        return Chain(
            names=tuple(layer.name for layer in self.layers),
            widths=(_channels(linears[0])[0], *(_channels(linear)[1] for linear in linears)),
            activations=tuple(layer.activation or "linear" for layer in self.layers[:-1]),
            normalisations=tuple(layer.normalisation for layer in self.layers[:-1]),
            weight_variances=tuple(
                linear.weight[0].numel() * _mean_square(linear.weight) for linear in linears
            ),
            bias_variances=tuple(_mean_square(linear.bias) for linear in linears),
            skips=tuple(self.skips),
            readings=readings,
            kinds=tuple("conv" if isinstance(each, nn.Conv2d) else "linear" for each in linears),
        )

    def linear(self, name: str, linear: nn.Linear | nn.Conv2d, value: Value) -> Value:
        """Add a layer that reads a value; return what it puts out."""
        if any(layer.linear.weight is linear.weight for layer in self.layers):
            raise SpecError(f"'{name}' is used twice: the theory wants weights of its own a layer")
        if value.layer != len(self.layers):
            raise SpecError(f"'{name}' reads layer {value.layer}, not the one before: a branch")
        if value.stage in ("z", "normed"):
            value = self.activated(name, "linear", value)
        if not self._is_whole(value):
            raise SpecError(f"'{name}' reads what a later addition changes")
        if isinstance(linear, nn.Conv2d):
            if value.picture is None or value.picture.flat:
                raise SpecError(f"'{name}': a Conv2d reads [batch, channels, height, width]")
            check_size(self.batch, value.picture.now)
            with name_errors(name):
                reading, above = conv_reading(name, linear, value.picture)
            check_size(self.batch, above.size)
            self._check_fan_in(name, linear.in_channels, 1)
            self.layers.append(Hidden(name, linear, reading))
            return Value(len(self.layers), "z", above)
        flat = self._read_flat(name, value)
        self._check_fan_in(name, linear.in_features, len(flat.places) if flat else 1)
        self.layers.append(Hidden(name, linear, flat))
        return Value(len(self.layers), "z")

    def norm(self, name: str, norm: Any, value: Value) -> Value:
        """Put a norm behind the newest layer."""
        if value.stage != "z" or value.layer != len(self.layers):
            raise SpecError(
                f"'{name}': the theory knows a norm right after a layer of weights only"
            )
        width = _channels(self.layers[-1].linear)[1]
        layer_norm = isinstance(norm, nn.LayerNorm)
        if layer_norm and (norm.normalized_shape != (width,) or value.picture):
            raise SpecError(f"'{name}': LayerNorm over {norm.normalized_shape}, not ({width},)")
        batch_norm = nn.BatchNorm2d if value.picture else nn.BatchNorm1d
        if not layer_norm and (type(norm) is not batch_norm or norm.num_features != width):
            raise SpecError(f"'{name}': what it norms asks for a {batch_norm.__name__}({width})")
        if self.layers[-1].normalisation != "none":
            raise SpecError(f"'{name}': a second norm of one layer's output")
        if not layer_norm and not norm.training:
            raise SpecError(f"'{name}' is in eval mode: type  model.train()")
        for option, allowed in (("weight", 1.0), ("bias", 0.0)):
            parameter = getattr(norm, option)
            if parameter is not None and bool((parameter != allowed).any()):
                raise SpecError(f"'{name}': its {option} is not {allowed:g} everywhere")
        kind = "layer" if layer_norm else "batch"
        self.layers[-1] = self.layers[-1]._replace(normalisation=kind)
        return value._replace(stage="normed")

    def activated(self, name: str, activation: str, value: Value) -> Value:
        """Put an activation behind the newest layer."""
        if value.layer != len(self.layers) or value.stage not in ("z", "normed"):
            raise SpecError(f"'{name}': an activation that does not follow a layer of weights")
        last = self.layers[-1]
        if last.activation or (last.normalisation != "none") != (value.stage == "normed"):
            raise SpecError(f"'{name}': a second use of what '{last.name}' puts out: a branch")
        self.layers[-1] = last._replace(activation=activation)
        return value._replace(stage="x")

    def averaged(self, name: str, average: Any, value: Value, *, flat: bool = False) -> Value:
        """Return a value with its positions averaged."""
        if value.picture is None or value.picture.flat:
            raise SpecError(f"'{name}': averages what is not [batch, channels, height, width]")
        if value.stage in ("z", "normed"):
            value = self.activated(name, "linear", value)
        if not self._is_whole(value):
            raise SpecError(f"'{name}' reads what a later addition changes")
        check_size(self.batch, value.picture.now)
        with name_errors(name):
            return value._replace(picture=average_over(value.picture, average, flat=flat))

    def added(self, name: str, one: Value, other: Value) -> Value:
        """Add what an earlier layer puts out to what the newest does."""
        one, other = sorted((one, other), key=lambda value: value[:2])
        newest, pictures = (len(self.layers), "x"), (one.picture, other.picture)
        if other[:2] != newest or not self._is_whole(one) or one.layer in (0, other.layer):
            raise SpecError(
                f"{name}: the theory knows an activation plus what an earlier hidden layer puts out"
            )
        if any(each and not each.untouched for each in pictures) or pictures[0] != pictures[1]:
            raise SpecError(f"{name}: the theory knows a sum of pictures of one size only")
        self.skips.append((one.layer, other.layer))
        return other._replace(stage="sum")

    def _check_fan_in(self, name: str, fan_in: int, positions: int) -> None:
        """Compare a layer with what is below; the inputs are compared with the batch elsewhere."""
        if self.layers:
            below = _channels(self.layers[-1].linear)[1] * positions
            if fan_in != below:
                raise SpecError(f"'{name}' takes {fan_in} inputs, and {below} come from below")

    def _read_flat(self, name: str, value: Value) -> Taps | None:
        if value.picture is None or (value.layer == 0 and value.picture.pooled is None):
            return None  # of inputs all numbers are features alike
        if value.layer == 0:
            raise SpecError(f"'{name}' reads averages of the inputs: average them beforehand")
        if not value.picture.flat:
            raise SpecError(f"'{name}' reads a picture of {value.picture.now}: flatten it before")
        return flat_reading(value.picture)

    def _is_whole(self, value: Value) -> bool:
        """Tell whether nothing is added to a layer's output after this."""
        added = any(end == value.layer for _, end in self.skips)
        return value.stage == ("sum" if added else "x")


def _mean_square(parameter: Tensor | None) -> float:
    if parameter is None:
        return 0.0
    return float(parameter.detach().double().square().mean())


def _channels(linear: nn.Linear | nn.Conv2d) -> tuple[int, int]:
    if isinstance(linear, nn.Conv2d):
        return linear.in_channels, linear.out_channels
    return linear.in_features, linear.out_features
