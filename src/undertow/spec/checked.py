"""A specification changed or refused: every value is validated, every refusal one line."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ValidationError,
)

from undertow.errors import SpecError

Spec = TypeVar("Spec", bound=BaseModel)


def with_changes(spec: Spec, **changes: Any) -> Spec:
    """Return `spec` with some values changed, validated again.

    >>> from undertow.spec.network import NetworkSpec
    >>> net = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> with_changes(net, depth=2).depth
    2
    """
    return type(spec)(**(spec.model_dump() | changes))


def build_checked(build: Any, values: dict[str, Any]) -> None:
    """Let pydantic build a spec; what it refuses becomes one line."""
    try:
        build(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "value"
        said = first["msg"].removeprefix("Value error, ").lower()
        came = values.get(str(first["loc"][0])) if first["loc"] else values
        raise SpecError(f"{where} = {came!r}: {said}") from None
