"""A PyTorch module read as a chain of layers, with the variances of the weights it has now."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from undertow.errors import SpecError
from undertow.prediction.chain import Chain
from undertow.prediction.torch_layers import CALLED, SUPPORTED, Layers, Value
from undertow.prediction.torch_pictures import mean_over_positions, picture

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
        self.layers = Layers(shape[0] if len(shape) else 0)
        self.picture = picture((shape[2], shape[3])) if len(shape) == 4 else None
        self.values: dict[fx.Node, Value] = {}
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
        return self.layers.chain(self.end)

    def _module(self, node: fx.Node, name: str) -> Value:
        module, value = self.modules[name], self._value(node, *node.args)
        kind = type(module)
        if kind in (nn.Linear, nn.Conv2d):
            return self.layers.linear(name, module, value)
        if kind in (nn.AvgPool2d, nn.AdaptiveAvgPool2d):
            return self.layers.averaged(name, module, value)
        if kind in (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm):
            return self.layers.norm(name, module, value)
        if isinstance(module, nn.Dropout) and module.p > 0:
            raise SpecError(f"'{name}': Dropout at rate {module.p}; the theory knows rate 0")
        if kind is nn.Flatten:
            if (module.start_dim, module.end_dim) != (1, -1):
                raise SpecError(f"'{name}': a Flatten of other than everything but the batch")
            return _flat(value)
        if kind in (nn.Identity, nn.Dropout):
            return value
        if kind is nn.LeakyReLU:
            return self.layers.activated(name, f"leaky_relu({module.negative_slope})", value)
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
        return self.layers.activated(name, activation, value)

    def _function(self, node: fx.Node) -> Value:
        target: Callable[..., Any] | str = node.target
        if target in (operator.add, operator.iadd, torch.add, "add", "add_"):
            return self._added(node)
        value = self._value(node, *node.args[:1])
        if target in (torch.flatten, "flatten", "view", "reshape"):
            if value.layer and not (value.picture and _keeps_samples(node, self.layers.batch)):
                raise SpecError(f"{node.name}: reshapes what is inside the network")
            return _flat(value)
        if target in (torch.mean, "mean") and value.picture and _over_positions(node):
            return self.layers.averaged(node.name, mean_over_positions, value, flat=True)
        options = {name: option for name, option in node.kwargs.items() if name != "inplace"}
        activation = FUNCTIONS.get(target) or METHODS.get(str(target))
        if activation is None or len(node.args) > 1 or options:
            raise SpecError(f"{node.name}: the theory knows {SUPPORTED}")
        return self.layers.activated(node.name, activation, value)

    def _added(self, node: fx.Node) -> Value:
        if len(node.args) != 2 or node.kwargs or not all(arg in self.values for arg in node.args):
            raise SpecError(f"{node.name}: the theory knows a sum of two layers only")
        return self.layers.added(node.name, *(self.values[arg] for arg in node.args))

    def _value(self, node: fx.Node, *args: Any) -> Value:
        if len(args) != 1 or args[0] not in self.values:
            raise SpecError(f"{node.name}: takes other than one tensor")
        return self.values[args[0]]


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
