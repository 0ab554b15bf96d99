"""How runs were made, as rows of words: what differs between two of them comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# No settings, or shown elsewhere.
LEFT_OUT = ("predicted", "versions", "schema", "created", "thinned", "study", "judged")


class Setting(NamedTuple):
    """One setting and its value in each run; `differs` where they are not all alike."""

    name: str
    values: list[str]
    differs: bool


def settings(attributes: Sequence[Mapping[str, Any]]) -> list[Setting]:
    """Return the settings of runs, those that differ first.

    >>> one, other = {"dtype": "float32", "network": {"depth": 3}}, {"network": {"depth": 5}}
    >>> for each in settings([one, other]):
    ...     print(each.name, each.values, each.differs)
    dtype ['float32', '-'] True
    network.depth ['3', '5'] True
    """
    flat = [dict(_flat(each)) for each in attributes]
    names = list(dict.fromkeys(name for each in flat for name in each))
    rows = []
    for name in names:
        values = [each.get(name, "-") for each in flat]
        rows.append(Setting(name, values, len(set(values)) > 1))
    return sorted(rows, key=lambda row: not row.differs)


def _flat(attributes: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in attributes.items():
        if not before and name in LEFT_OUT:
            continue
        if isinstance(value, Mapping):
            found += _flat(value, f"{before}{name}.")
        elif value not in (None, "", [], ()):
            found.append((f"{before}{name}", _word(value)))
    return found


def _word(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_word, value))
    return str(value)
