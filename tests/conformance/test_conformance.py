"""`undertow.watch` keeps every promise on every case."""

from __future__ import annotations

import pytest
from architectures import CASES, Case
from promises import PROMISES, Promise

import undertow as ut


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_undertow_keeps(promise: Promise, case: Case) -> None:
    promise(ut.watch, case)
