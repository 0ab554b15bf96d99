"""A PyTorch module read as a chain of layers, with the variances of the weights it has now."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from undertow.errors import SpecError
from undertow.prediction.chain import Chain

SUPPORTED = (
    "Linear, Sigmoid, Tanh, ReLU, LeakyReLU, ELU, SELU, GELU, SiLU, Softplus, Hardtanh, "
    "BatchNorm1d, LayerNorm, Flatten, Identity, Dropout at rate 0, and x + f(x) around them"
)

FUNCTIONS: dict[Any, str] = {
    torch.sigmoid: "sigmoid",
    torch.tanh: "tanh",
    torch.relu: "relu",
    F.sigmoid: "sigmoid",
    F.tanh: "tanh",
    F.relu: "relu",
    F.elu: "elu",
    F.selu: "selu",
    F.gelu: "gelu",
    F.silu: "silu",
    F.softplus: "softplus",
    F.hardtanh: "hard_tanh",
}
SIZES = ("size", getattr, operator.getitem)
METHODS = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu"}
MODULES: dict[type[nn.Module], tuple[str, dict[str, Any]]] = {
    nn.Sigmoid: ("sigmoid", {}),
    nn.Tanh: ("tanh", {}),
    nn.ReLU: ("relu", {}),
    nn.ELU: ("elu", {"alpha": 1.0}),
    nn.SELU: ("selu", {}),
    nn.GELU: ("gelu", {"approximate": "none"}),
    nn.SiLU: ("silu", {}),
    nn.Softplus: ("softplus", {"beta": 1.0}),
    nn.Hardtanh: ("hard_tanh", {"min_val": -1.0, "max_val": 1.0}),
}


class Value(NamedTuple):
    """What a node of the graph is: layer `layer` (0 the inputs), at `stage` of it.

    Stages are z (the linear map's output), normed, x (the activation) and sum (with a skip added).
    """

    layer: int
    stage: str


class Hidden(NamedTuple):
    """One weight layer as it is gathered."""

    name: str
    linear: nn.Linear
    normalisation: str = "none"
    activation: str | None = None


def chain(module: nn.Module) -> Chain:
    """Read a module.

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
    reader = _Reader(dict(module.named_modules()))
    for node in graph.nodes:
        reader.read(node)
    return reader.chain()


class _Reader:
    """Walks a graph in the order of its computation, and keeps what each node is."""

    def __init__(self, modules: dict[str, nn.Module]) -> None:
        self.modules = modules
        self.values: dict[fx.Node, Value] = {}
        self.layers: list[Hidden] = []
        self.skips: list[tuple[int, int]] = []
        self.end: Value | None = None

    def read(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            if self.values:
                raise SpecError(f"input '{node.name}': the theory takes one input")
            self.values[node] = Value(0, "x")
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
            raise SpecError(f"no Linear layer: the theory knows {SUPPORTED}")
        last = self.layers[-1]
        if self.end != Value(len(self.layers), "z"):
            what = f"a {last.activation}" if last.activation else "an addition or a norm"
            raise SpecError(
                f"after '{last.name}': the network ends in {what}; give it without, so that the "
                "loss takes logits"
            )
        linears = [layer.linear for layer in self.layers]
        return Chain(
            names=tuple(layer.name for layer in self.layers),
            widths=(linears[0].in_features, *(linear.out_features for linear in linears)),
            activations=tuple(layer.activation or "linear" for layer in self.layers[:-1]),
            normalisations=tuple(layer.normalisation for layer in self.layers[:-1]),
            weight_variances=tuple(
                linear.in_features * _mean_square(linear.weight) for linear in linears
            ),
            bias_variances=tuple(_mean_square(linear.bias) for linear in linears),
            skips=tuple(self.skips),
        )

    def _module(self, node: fx.Node, name: str) -> Value:
        module, value = self.modules[name], self._value(node, *node.args)
        kind = type(module)
        if kind is nn.Linear:
            return self._linear(name, module, value)
        if kind in (nn.BatchNorm1d, nn.LayerNorm):
            return self._norm(name, module, value)
        if isinstance(module, nn.Dropout) and module.p > 0:
            raise SpecError(f"'{name}': Dropout at rate {module.p}; the theory knows rate 0")
        if kind in (nn.Identity, nn.Dropout, nn.Flatten):
            return value
        if kind is nn.LeakyReLU:
            return self._activated(name, f"leaky_relu({module.negative_slope})", value)
        if kind not in MODULES:
            raise SpecError(f"'{name}' is a {kind.__name__}: the theory knows {SUPPORTED}")
        activation, wanted = MODULES[kind]
        for option, allowed in wanted.items():
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
        value = self._value(node, node.args[0])
        if target in (torch.flatten, "flatten", "view", "reshape"):
            if value.layer:
                raise SpecError(f"{node.name}: reshapes what is inside the network")
            return value
        options = {name: option for name, option in node.kwargs.items() if name != "inplace"}
        activation = FUNCTIONS.get(target) or METHODS.get(str(target))
        if activation is None or len(node.args) > 1 or options:
            raise SpecError(f"{node.name}: the theory knows {SUPPORTED}")
        return self._activated(node.name, activation, value)

    def _linear(self, name: str, linear: nn.Linear, value: Value) -> Value:
        if any(layer.linear is linear for layer in self.layers):
            raise SpecError(f"'{name}' is used twice: the theory wants weights of its own a layer")
        if value.layer != len(self.layers):
            raise SpecError(f"'{name}' reads layer {value.layer}, not the one before: a branch")
        if value.stage in ("z", "normed"):
            value = self._activated(name, "linear", value)
        if not self._is_whole(value):
            raise SpecError(f"'{name}' reads what a later addition changes")
        self.layers.append(Hidden(name, linear))
        return Value(len(self.layers), "z")

    def _norm(self, name: str, norm: nn.BatchNorm1d | nn.LayerNorm, value: Value) -> Value:
        if value.stage != "z" or value.layer != len(self.layers):
            raise SpecError(f"'{name}': the theory knows a norm right after a Linear only")
        width = self.layers[-1].linear.out_features
        if isinstance(norm, nn.LayerNorm) and norm.normalized_shape != (width,):
            raise SpecError(f"'{name}': LayerNorm over {norm.normalized_shape}, not ({width},)")
        if isinstance(norm, nn.BatchNorm1d) and not norm.training:
            raise SpecError(f"'{name}' is in eval mode: type  model.train()")
        for option, allowed in (("weight", 1.0), ("bias", 0.0)):
            parameter = getattr(norm, option)
            if parameter is not None and bool((parameter != allowed).any()):
                raise SpecError(f"'{name}': its {option} is not {allowed:g} everywhere")
        kind = "batch" if isinstance(norm, nn.BatchNorm1d) else "layer"
        self.layers[-1] = self.layers[-1]._replace(normalisation=kind)
        return Value(value.layer, "normed")

    def _activated(self, name: str, activation: str, value: Value) -> Value:
        if value.layer != len(self.layers) or value.stage not in ("z", "normed"):
            raise SpecError(f"'{name}': an activation that does not follow a Linear")
        self.layers[-1] = self.layers[-1]._replace(activation=activation)
        return Value(value.layer, "x")

    def _added(self, node: fx.Node) -> Value:
        if len(node.args) != 2 or not all(arg in self.values for arg in node.args):
            raise SpecError(f"{node.name}: the theory knows a sum of two layers only")
        one, other = sorted(self.values[arg] for arg in node.args)
        newest = Value(len(self.layers), "x")
        if other != newest or not self._is_whole(one) or one.layer in (0, other.layer):
            raise SpecError(
                f"{node.name}: the theory knows an activation plus what an earlier hidden layer "
                "puts out"
            )
        self.skips.append((one.layer, other.layer))
        return Value(other.layer, "sum")

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
