"""All thresholds of the rules: one model, made of what their files declare, checked and described.

>>> DEFAULT.vanishing
-4.0
>>> [each.unit for each in describe()][:2]
['dex', 'dex']
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ConfigDict, Field, create_model

from undertow.diagnosis import shared_thresholds
from undertow.diagnosis.rule import Rule
from undertow.diagnosis.rules import RULES
from undertow.diagnosis.threshold import Threshold


def of_module(name: str) -> set[Threshold]:
    """Return the thresholds that a module has, its own and those that it imports.

    >>> [each.name for each in of_module("undertow.diagnosis.rules.ut113_off_critical")]
    ['off_critical']
    """
    return {each for each in vars(sys.modules[name]).values() if isinstance(each, Threshold)}


def of_rule(rule: Rule) -> set[Threshold]:
    """Return the thresholds that a rule's file has."""
    return of_module(rule.check.__module__)


def _declared() -> list[Threshold]:
    found = of_module(shared_thresholds.__name__).union(*map(of_rule, RULES))
    return sorted(found, key=lambda each: (each.place, each.name))


def _fields() -> Iterator[tuple[str, Any]]:
    for each in _declared():
        limits = {limit: getattr(each, limit) for limit in ("gt", "ge", "lt", "le")}
        field: Any = Field(
            each.default,
            description=each.reason,
            json_schema_extra={"unit": each.unit},
            **{limit: value for limit, value in limits.items() if value is not None},
        )
        yield each.name, (type(each.default), field)


_Declared = create_model(
    "_Declared", __config__=ConfigDict(frozen=True, extra="forbid"), **dict(_fields())
)


class Thresholds(_Declared):
    """What the rules compare with; every value can be changed, none can be nonsense.

    >>> Thresholds(vanishing=-6.0).vanishing
    -6.0
    """

    def __init__(self, **values: float) -> None:
        super().__init__(**values)

    if TYPE_CHECKING:  # the fields are what the rules' files declare

        def __getattr__(self, name: str) -> float: ...


DEFAULT = Thresholds()


class Described(NamedTuple):
    """A threshold as docs and reports print it."""

    name: str
    value: float
    unit: str
    reason: str


def describe(thresholds: Thresholds = DEFAULT) -> list[Described]:
    """List all thresholds with unit and reason."""
    found = []
    for name, field in Thresholds.model_fields.items():
        extra: Any = field.json_schema_extra
        value = getattr(thresholds, name)
        found.append(Described(name, value, extra["unit"], str(field.description)))
    return found
