"""Every public name is there, is documented, and shows an example."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import undertow


def face_faults(text: str) -> list[str]:
    """Where what editors see, what is imported on first use and what is listed do not agree."""
    editors: dict[str, str] = {}
    values: dict[str, ast.expr] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for line in node.body:
                assert isinstance(line, ast.ImportFrom)
                editors |= {alias.asname or alias.name: line.module or "" for alias in line.names}
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values[node.targets[0].id] = node.value
    homes = ast.literal_eval(values["_HOMES"])
    listed = ast.literal_eval(values["__all__"])
    names = sorted({*editors, *homes, *listed})
    return [
        *(f"{name} is not for editors" for name in names if name not in editors),
        *(f"{name} has no home" for name in names if name not in homes),
        *(
            f"{name} is listed {listed.count(name)} times"
            for name in names
            if listed.count(name) != 1
        ),
        *(
            f"{name} is in {editors[name]} for editors and in {homes[name]} at run time"
            for name in names
            if name in editors and name in homes and editors[name] != homes[name]
        ),
    ]


@pytest.mark.parametrize("name", undertow.__all__)
def test_public_names_are_documented(name: str):
    text = getattr(undertow, name).__doc__
    assert text
    assert ">>>" in text


def test_dir_lists_the_public_names():
    assert set(undertow.__all__) <= set(dir(undertow))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'undertow' has no attribute 'predicct'"):
        _ = undertow.predicct


def test_editors_see_what_is_imported_on_first_use():
    assert face_faults(Path(undertow.__file__).read_text(encoding="utf-8")) == []


def test_the_check_of_what_editors_see_can_fail():
    text = """
if TYPE_CHECKING:
    from undertow.one import first, second
    from undertow.two import third
_HOMES = {"first": "undertow.one", "second": "undertow.two", "fourth": "undertow.two"}
__all__ = ["first", "second", "third", "third"]
"""
    assert face_faults(text) == [
        "fourth is not for editors",
        "third has no home",
        "fourth is listed 0 times",
        "third is listed 2 times",
        "second is in undertow.one for editors and in undertow.two at run time",
    ]
