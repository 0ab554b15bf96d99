"""The compiled library: found, loaded and described for ctypes.

One shared object an instruction set; the plainest tells which of them this processor can run.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from ctypes import POINTER, c_char_p, c_double, c_int32, c_int64, c_void_p
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ENDING = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")

# As native/record.h lists them.
LAYER_VARIABLES = (
    "grad_norm",
    "weight_norm",
    "update_norm",
    "grad_mean_abs",
    "nonfinite",
    "delta_norm",
    "preactivation_rms",
    "activation_rms",
    "slope_rms",
    "saturated_fraction",
    "dead_fraction",
)
STEP_VARIABLES = ("input_rms", "output_spread", "loss", "accuracy", "learning_rate")


class Network(ctypes.Structure):
    """`Network` of native/network.h."""

    _fields_ = [
        *[(name, c_int32) for name in ("inputs", "outputs", "depth", "width")],
        *[(name, c_int32) for name in ("activation", "normalisation", "gradient", "loss")],
        *[(name, c_int32) for name in ("skips", "frozen")],
        *[(name, c_void_p) for name in ("skip_starts", "skip_ends")],
        ("branch_scale", c_double),
    ]


class UpdateRule(ctypes.Structure):
    """`UpdateRule` of native/optimizers.h."""

    _fields_ = [
        *[(name, c_double) for name in ("learning_rate", "momentum", "beta1", "beta2", "epsilon")],
        ("optimizer", c_int32),
    ]


class State(ctypes.Structure):
    """`State` of native/lanes.cpp."""

    _fields_ = [
        *[(name, c_void_p) for name in ("parameters", "first", "second", "means", "variances")],
        *[(name, c_int64) for name in ("blocks", "steps")],
    ]


class Samples(ctypes.Structure):
    """`Samples` of native/lanes.cpp."""

    _fields_ = [(name, c_void_p) for name in ("inputs", "targets", "squares")]


class Steps(ctypes.Structure):
    """`Steps` of native/lanes.cpp."""

    _fields_ = [
        ("orders", c_void_p),
        ("samples", c_int64),
        *[(name, c_int32) for name in ("batch", "start", "count")],
        *[(name, c_void_p) for name in ("rows", "pages", "histogram", "of_layers", "of_steps")],
        ("recorded", c_int64),
    ]


class Test(ctypes.Structure):
    """`Test` of native/lanes.cpp."""

    _fields_ = [
        ("inputs", c_void_p),
        ("samples", c_int64),
        ("part", c_int32),
        *[(name, c_void_p) for name in ("logits", "shares")],
    ]


@cache
def library() -> Any:
    """Load the fastest library that this processor can run; None where none was built.

    >>> found = library()
    >>> found is None or found.lanes_name() in (b"avx512", b"avx2", b"plain")
    True
    """
    plain = load("plain")
    if plain is None or misfit(plain):
        return None
    best = load(plain.lanes_best().decode())
    return plain if best is None or misfit(best) else best


def lanes() -> int:
    """Return how many replicates are a block: as many as a register of the library holds.

    >>> lanes() in (4, 8)
    True
    """
    return library().lanes_count()


def names(of: str) -> tuple[str, ...]:
    """Return the names that the library has a number for, in their order.

    >>> names("losses")
    ('binary_cross_entropy', 'cross_entropy')
    """
    return _names(library(), of)


def number(of: str, name: str) -> int:
    """Return the number that the library has for a name.

    >>> number("activations", "tanh")
    1
    """
    return names(of).index(name)


def absence() -> str:
    """Say why there is no library, and what to do about it.

    >>> print(absence())
    its library ...: install undertow again...
    """
    plain = load("plain")
    if plain is None:
        return "its library is not built here: install undertow again where there is a C++ compiler"
    return f"its library {misfit(plain)}: install undertow again"


def misfit(found: Any) -> str | None:
    """Say in what a library differs from what is written here of it; None where it does not."""
    if not hasattr(found, "lanes_names") or _is_outdated(found):
        return "is older than its sources"
    for of, ours in (("layer_variables", LAYER_VARIABLES), ("step_variables", STEP_VARIABLES)):
        if (theirs := _names(found, of)) != ours:
            different = sorted({*theirs} ^ {*ours})
            return f"has other {of}" + (f" ({', '.join(different)})" if different else "")
    for ours in (Network, UpdateRule, State, Samples, Steps, Test):
        size, expected = found.lanes_size(ours.__name__.encode()), ctypes.sizeof(ours)
        if size != expected:
            return f"has a {ours.__name__} of {size} bytes, not {expected}"
    return None


def load(name: str) -> Any:
    """Load the library of this name; None where none was built, or for another machine."""
    # An editable install has its library where a whole one would be.
    for folder in (HERE, Path(sysconfig.get_path("platlib"), "undertow", "engine", "lanes")):
        path = folder / f"lanes-{name}{ENDING}"
        if path.exists():
            try:
                return _describe(ctypes.CDLL(str(path)))
            except OSError:  # built for another machine
                return None
    return None


def _is_outdated(found: Any) -> bool:
    """Tell whether the sources beside a checkout's Python have changed since the library."""
    sources = sorted([*HERE.glob("native/*.h"), *HERE.glob("native/*.cpp")])
    digests = "".join(sha256(source.read_bytes()).hexdigest() for source in sources)
    built = found.lanes_sources().decode()
    return bool(sources) and built != sha256(digests.encode()).hexdigest()


def _names(found: Any, of: str) -> tuple[str, ...]:
    return tuple(found.lanes_names(of.encode()).decode().split())


def _describe(found: Any) -> Any:
    network, state = POINTER(Network), POINTER(State)
    space = [c_void_p, c_int64, c_int32]
    for text in (found.lanes_best, found.lanes_name, found.lanes_sources):
        text.restype = c_char_p
    if hasattr(found, "lanes_names"):  # not in a library that was built before there was one
        found.lanes_names.argtypes = found.lanes_size.argtypes = [c_char_p]
        found.lanes_names.restype, found.lanes_size.restype = c_char_p, c_int64
    found.lanes_count.restype = c_int32
    found.lanes_space.restype = c_int64
    found.lanes_space.argtypes = [network, c_int32]
    of_training = [network, POINTER(UpdateRule), c_double, state, POINTER(Samples), POINTER(Steps)]
    found.lanes_train.argtypes = [*of_training, POINTER(Test), *space]
    found.lanes_answer.argtypes = [network, state, c_void_p, c_int64, c_int32, c_void_p, *space]
    found.lanes_distinct.argtypes = [network, state, c_void_p, c_int32]
    found.lanes_orders.argtypes = [c_void_p, *[c_int64] * 3, c_int32, c_void_p, c_int32]
    for name in ("train", "answer", "distinct", "orders"):
        getattr(found, f"lanes_{name}").restype = None
    return found
