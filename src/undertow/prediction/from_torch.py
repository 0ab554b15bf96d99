"""A PyTorch module read as a chain of layers, with the variances of the weights it has now."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from undertow.activations.activation import named
from undertow.errors import SpecError
from undertow.prediction.chain import Chain
from undertow.prediction.torch_pictures import (
    Picture,
    average_over,
    check_size,
    conv_reading,
    flat_reading,
    mean_over_positions,
    name_errors,
    picture,
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
WHY_NOT = {
    "MaxPool": "the largest of several numbers is not Gaussian",
    "MultiheadAttention": "its weights depend on the sample",
    "RNN": "its weights are used again at every time step",
    "LSTM": "its weights are used again at every time step",
    "GRU": "its weights are used again at every time step",
}

# A leaky ReLU is read with its slope, so that its functions are none of these.
FUNCTIONS: dict[Any, str] = {
    getattr(home, called): name
    for name, called in CALLED
    for home in (torch, F)
    if name != "leaky_relu" and called.islower() and hasattr(home, called)
}
SIZES = ("size", getattr, operator.getitem)
METHODS = {called: name for name, called in CALLED if hasattr(Tensor, called)}
MODULES: dict[type[nn.Module], str] = {
    getattr(nn, called): name for name, called in CALLED if hasattr(nn, called)
}
# The options that the theory knows an activation with.
OPTIONS: dict[str, dict[str, Any]] = {
    "elu": {"alpha": 1.0},
    "gelu": {"approximate": "none"},
    "softplus": {"beta": 1.0, "threshold": 20.0},
    "hard_tanh": {"min_val": -1.0, "max_val": 1.0},
}


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


def chain(module: nn.Module, shape: Sequence[int] = ()) -> Chain:
    """Read a module; a convolution needs the shape of its input, [batch, channels, height, width].

    >>> found = chain(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)))
    >>> found.names, found.widths, found.activations
    (('0', '2'), (4, 8, 3), ('tanh',))

    Raises
    ------
    SpecError
        A part the theory cannot treat, by its name and the reason.
    """
    try:
        graph = fx.Tracer().trace(module)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SpecError(
            f"{type(module).__name__}: torch.fx cannot follow its forward ({reason})"
        ) from None
    reader = _Reader(dict(module.named_modules()), shape)
    for node in graph.nodes:
        reader.read(node)
    return reader.chain()


class _Reader:
    """Walks a graph in the order of its computation, and keeps what each node is."""

    def __init__(self, modules: dict[str, nn.Module], shape: Sequence[int]) -> None:
        self.modules = modules
        self.batch = shape[0] if len(shape) else 0
        self.picture = picture((shape[2], shape[3])) if len(shape) == 4 else None
        self.values: dict[fx.Node, Value] = {}
        self.layers: list[Hidden] = []
        self.skips: list[tuple[int, int]] = []
        self.end: Value | None = None

    def read(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            if self.values:
                raise SpecError(f"input '{node.name}': the theory takes one input")
            self.values[node] = Value(0, "x", self.picture)
        elif node.op == "output":
            self.end = self._value(node, node.args[0])
        elif node.op == "call_module":
            self.values[node] = self._module(node, str(node.target))
        elif node.target in SIZES:  # x.view(x.size(0), -1): numbers, not part of the network
            pass
        elif node.op in ("call_function", "call_method"):
            self.values[node] = self._function(node)
        else:
            raise SpecError(f"{node.target}: a parameter used by itself; put it in a Linear")

    def chain(self) -> Chain:
        if not self.layers:
            raise SpecError(f"no Linear or Conv2d layer: the theory knows {SUPPORTED}")
        last = self.layers[-1]
        if self.end is None or self.end[:2] != (len(self.layers), "z"):
            what = f"a {last.activation}" if last.activation else "an addition or a norm"
            raise SpecError(
                f"after '{last.name}': the network ends in {what}; give it without, so that the "
                "loss takes logits"
            )
        if self.end.picture and self.end.picture.size != (1, 1):
            raise SpecError(
                f"after '{last.name}': the network ends in a picture of {self.end.picture.size}; "
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

    def _module(self, node: fx.Node, name: str) -> Value:
        module, value = self.modules[name], self._value(node, *node.args)
        kind = type(module)
        if kind in (nn.Linear, nn.Conv2d):
            return self._linear(name, module, value)
        if kind in (nn.AvgPool2d, nn.AdaptiveAvgPool2d):
            return self._averaged(name, module, value)
        if kind in (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm):
            return self._norm(name, module, value)
        if isinstance(module, nn.Dropout) and module.p > 0:
            raise SpecError(f"'{name}': Dropout at rate {module.p}; the theory knows rate 0")
        if kind is nn.Flatten:
            if (module.start_dim, module.end_dim) != (1, -1):
                raise SpecError(f"'{name}': a Flatten of other than everything but the batch")
            return _flat(value)
        if kind in (nn.Identity, nn.Dropout):
            return value
        if kind is nn.LeakyReLU:
            return self._activated(name, f"leaky_relu({module.negative_slope})", value)
        if kind not in MODULES:
            reasons = [why for what, why in WHY_NOT.items() if kind.__name__.startswith(what)]
            reason = f" ({reasons[0]})" if reasons else ""
            raise SpecError(f"'{name}' is a {kind.__name__}{reason}: the theory knows {SUPPORTED}")
        activation = MODULES[kind]
        for option, allowed in OPTIONS.get(activation, {}).items():
            if getattr(module, option) != allowed:
                raise SpecError(
                    f"'{name}': {kind.__name__} with {option} = {getattr(module, option)!r}; the "
                    f"theory knows {allowed!r}"
                )
        return self._activated(name, activation, value)

    def _function(self, node: fx.Node) -> Value:
        target: Callable[..., Any] | str = node.target
        if target in (operator.add, operator.iadd, torch.add, "add", "add_"):
            return self._added(node)
        value = self._value(node, *node.args[:1])
        if target in (torch.flatten, "flatten", "view", "reshape"):
            if value.layer and not (value.picture and _keeps_samples(node, self.batch)):
                raise SpecError(f"{node.name}: reshapes what is inside the network")
            return _flat(value)
        if target in (torch.mean, "mean") and value.picture and _over_positions(node):
            return self._averaged(node.name, mean_over_positions, value, flat=True)
        options = {name: option for name, option in node.kwargs.items() if name != "inplace"}
        activation = FUNCTIONS.get(target) or METHODS.get(str(target))
        if activation is None or len(node.args) > 1 or options:
            raise SpecError(f"{node.name}: the theory knows {SUPPORTED}")
        return self._activated(node.name, activation, value)

    def _linear(self, name: str, linear: nn.Linear | nn.Conv2d, value: Value) -> Value:
        if any(layer.linear.weight is linear.weight for layer in self.layers):
            raise SpecError(f"'{name}' is used twice: the theory wants weights of its own a layer")
        if value.layer != len(self.layers):
            raise SpecError(f"'{name}' reads layer {value.layer}, not the one before: a branch")
        if value.stage in ("z", "normed"):
            value = self._activated(name, "linear", value)
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

    def _averaged(self, name: str, average: Any, value: Value, *, flat: bool = False) -> Value:
        if value.picture is None or value.picture.flat:
            raise SpecError(f"'{name}': averages what is not [batch, channels, height, width]")
        if value.stage in ("z", "normed"):
            value = self._activated(name, "linear", value)
        if not self._is_whole(value):
            raise SpecError(f"'{name}' reads what a later addition changes")
        check_size(self.batch, value.picture.now)
        with name_errors(name):
            return value._replace(picture=average_over(value.picture, average, flat=flat))

    def _norm(self, name: str, norm: Any, value: Value) -> Value:
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

    def _activated(self, name: str, activation: str, value: Value) -> Value:
        if value.layer != len(self.layers) or value.stage not in ("z", "normed"):
            raise SpecError(f"'{name}': an activation that does not follow a layer of weights")
        last = self.layers[-1]
        if last.activation or (last.normalisation != "none") != (value.stage == "normed"):
            raise SpecError(f"'{name}': a second use of what '{last.name}' puts out: a branch")
        self.layers[-1] = last._replace(activation=activation)
        return value._replace(stage="x")

    def _added(self, node: fx.Node) -> Value:
        if len(node.args) != 2 or node.kwargs or not all(arg in self.values for arg in node.args):
            raise SpecError(f"{node.name}: the theory knows a sum of two layers only")
        one, other = sorted((self.values[arg] for arg in node.args), key=lambda value: value[:2])
        newest, pictures = (len(self.layers), "x"), (one.picture, other.picture)
        if other[:2] != newest or not self._is_whole(one) or one.layer in (0, other.layer):
            raise SpecError(
                f"{node.name}: the theory knows an activation plus what an earlier hidden layer "
                "puts out"
            )
        if any(each and not each.untouched for each in pictures) or pictures[0] != pictures[1]:
            raise SpecError(f"{node.name}: the theory knows a sum of pictures of one size only")
        self.skips.append((one.layer, other.layer))
        return other._replace(stage="sum")

    def _is_whole(self, value: Value) -> bool:
        """Tell whether nothing is added to a layer's output after this."""
        added = any(end == value.layer for _, end in self.skips)
        return value.stage == ("sum" if added else "x")

    def _value(self, node: fx.Node, *args: Any) -> Value:
        if len(args) != 1 or args[0] not in self.values:
            raise SpecError(f"{node.name}: takes other than one tensor")
        return self.values[args[0]]


def _mean_square(parameter: Tensor | None) -> float:
    if parameter is None:
        return 0.0
    return float(parameter.detach().double().square().mean())


def _channels(linear: nn.Linear | nn.Conv2d) -> tuple[int, int]:
    if isinstance(linear, nn.Conv2d):
        return linear.in_channels, linear.out_channels
    return linear.in_features, linear.out_features


def _flat(value: Value) -> Value:
    return value._replace(picture=value.picture and value.picture._replace(flat=True))


def _keeps_samples(node: fx.Node, batch: int) -> bool:
    """Tell whether a reshape leaves [batch, everything else]."""
    start = node.kwargs.get("start_dim", node.args[1] if len(node.args) > 1 else 0)
    if node.target in (torch.flatten, "flatten"):
        return start == 1 and len(node.args) + len(node.kwargs) <= 2
    if len(node.args) != 3:
        return False
    first, rest = node.args[1:]
    # What `rest` says of the size is compared with the layer that reads it.
    return first in (-1, batch) if isinstance(first, int) else _is_batch(first) and rest == -1


def _is_batch(number: Any) -> bool:
    """Tell whether a node is x.size(0), x.shape[0] or x.size()[0]."""
    if not isinstance(number, fx.Node):
        return False
    if number.target == "size":
        return number.args[1:] == (0,)
    return number.target is operator.getitem and number.args[1] == 0


def _over_positions(node: fx.Node) -> bool:
    """Tell whether a mean is over height and width."""
    dims = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    kept = node.kwargs.get("keepdim", node.args[2] if len(node.args) > 2 else False)
    return isinstance(dims, (tuple, list)) and {dim % 4 for dim in dims} == {2, 3} and not kept
