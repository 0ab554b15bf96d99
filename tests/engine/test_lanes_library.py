"""The library and what Python says of it agree, or it is refused in one line."""

from __future__ import annotations

from typing import Any

import pytest

from undertow.engine import choice
from undertow.engine.lanes import native_library, supports
from undertow.errors import SpecError
from undertow.spec import names
from undertow.spec.network import NetworkSpec

NET = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
LISTS = {
    "activations": names.ACTIVATIONS,
    "normalisations": names.NORMALISATIONS,
    "gradients": names.GRADIENTS,
    "optimizers": names.OPTIMIZERS,
    "losses": names.LOSSES,
}


class Other:
    """The library, but that it has other names in one list, or another size of one structure."""

    def __init__(self, found: Any, name: bytes, said: Any) -> None:
        self.found, self.name, self.said = found, name, said

    def __getattr__(self, function: str) -> Any:
        return getattr(self.found, function)

    def lanes_names(self, of: bytes) -> bytes:
        return self.said if of == self.name else self.found.lanes_names(of)

    def lanes_size(self, of: bytes) -> int:
        return self.said if of == self.name else self.found.lanes_size(of)


class Old:
    """A library from before it said its names."""


@pytest.mark.usefixtures("instruction_set")
def test_every_library_is_what_python_takes_it_for() -> None:
    assert native_library.misfit(native_library.library()) is None
    for of, ours in LISTS.items():
        assert set(native_library.names(of)) == set(ours)
        assert [native_library.number(of, name) for name in native_library.names(of)] == [
            *range(len(ours))
        ]


def other_order(of: str) -> bytes:
    first, second, *rest = native_library.names(of)
    return " ".join([second, first, *rest]).encode()


@pytest.mark.parametrize(
    ("other", "line"),
    [
        (
            lambda found: Other(found, b"layer_variables", b"grad_norm weight_norm"),
            "its library has other layer_variables (activation_rms, dead_fraction, delta_norm, "
            "grad_mean_abs, nonfinite, preactivation_rms, saturated_fraction, slope_rms, "
            "update_norm): install undertow again",
        ),
        (
            lambda found: Other(found, b"step_variables", other_order("step_variables")),
            "its library has other step_variables: install undertow again",
        ),
        (
            lambda found: Other(found, b"Steps", 16),
            "its library has a Steps of 16 bytes, not 80: install undertow again",
        ),
        (
            lambda _: Old(),
            "its library is older than its sources: install undertow again",
        ),
    ],
    ids=["variables", "their order", "size", "old"],
)
def test_another_library_is_refused(other: Any, line: str, monkeypatch: Any) -> None:
    found = other(native_library.library())
    monkeypatch.setattr(native_library, "load", lambda _: found)
    monkeypatch.setattr(supports, "library", lambda: None)
    assert native_library.library.__wrapped__() is None
    with pytest.raises(SpecError) as error:
        choice.choose_engine(NET, 8, "lanes")
    assert str(error.value) == f"engine lanes: {line}; or type  --engine torch"
    assert choice.choose_engine(NET, 8) == "torch"


@pytest.mark.parametrize(
    ("of", "lacking"), [("activations", "tanh"), ("normalisations", "none"), ("gradients", "plain")]
)
def test_what_the_library_lacks_is_not_in_lanes(of: str, lacking: str, monkeypatch: Any) -> None:
    found = native_library.library()
    fewer = " ".join(name for name in native_library.names(of) if name != lacking).encode()
    monkeypatch.setattr(native_library, "library", lambda: Other(found, of.encode(), fewer))
    assert supports.refusal(NET) == f"{of[:-1]} {lacking}: not in lanes"
