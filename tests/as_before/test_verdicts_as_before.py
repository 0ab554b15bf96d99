"""The six nets of docs/peers.md and forty cases of the zoo get the verdicts that they got."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.as_before import borrowed, verdicts
from tests.as_before.differing import differences, told
from tests.as_before.kept import expected


@pytest.mark.parametrize("name", borrowed.six_nets()[0])
def test_one_of_six_nets_is_judged_as_before(name: str):
    found = differences(expected("verdicts")["six nets"][name], verdicts.net(name))
    assert not found, told(found)


@pytest.mark.parametrize("name", verdicts.CASES)
def test_a_case_of_the_zoo_is_judged_as_before(name: str, tmp_path: Path):
    found = differences(expected("verdicts")["zoo"][name], verdicts.case(name, tmp_path))
    assert not found, told(found)


def test_forty_cases_have_every_cause_among_them():
    before = expected("verdicts")["zoo"]
    assert len(before) == len(set(verdicts.CASES)) == 40
    codes = {code for each in before.values() for code in each["accepted"]}
    assert codes == {f"UT{number}" for number in range(101, 115)}
    assert sum(each["outcome"] == "healthy" for each in before.values()) >= 8
