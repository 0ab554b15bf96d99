"""`undertow.watch` keeps every promise on every case."""

from __future__ import annotations

import pytest

import undertow as ut
from tests.conformance import torch_world
from tests.conformance.architectures import CASES
from tests.conformance.case import Case
from tests.conformance.promises import PROMISES, Promise


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_undertow_keeps(promise: Promise, case: Case) -> None:
    promise(torch_world, ut.watch, case)
