"""The discussion has a word on every remedy, and its numbers from the run."""

from __future__ import annotations

import re

from undertow.experiments import experiment, names
from undertow.remedies.discussion import DISCUSSED, discussion

FASHION = experiment("fashion-remedies")


def arm(name: str, median: float | None, stuck: int, dex: float | None = -2.5) -> dict:
    accuracy = {"median": median, "stuck": stuck, "values": [0.1, 0.2, 0.3]}
    return {"name": name, "test_accuracy": accuracy, "total_dex": dex}


def test_every_remedy_is_discussed_and_nothing_else():
    names = {each.name for each in FASHION.arms} - {FASHION.baseline}
    assert set(DISCUSSED) == names


def test_numbers_come_from_the_run():
    arms = [arm("baseline", 0.1, 3, -5.1), arm("relu", 0.8123, 0), arm("mine", 0.5, 1)]
    (found,) = discussion(arms, "baseline")
    assert found["arm"] == "relu"
    assert found["numbers"] == (
        "median test accuracy 0.812 against 0.100 of the baseline, 0 of 3 stuck, "
        "-2.5 dex between the first and the last hidden layer"
    )
    (other,) = discussion([arm("relu", None, 2, None)], "baseline")
    assert other["numbers"] == "median test accuracy not defined, 2 of 3 stuck"


def test_words_hold_no_number_of_a_run():
    """A measured figure typed into the words would outlive the run it came from."""
    for remedy in DISCUSSED.values():
        for sentence in (remedy.strength, remedy.weakness, remedy.applies):
            assert re.search(r"\d*\.\d|%", sentence) is None
            assert sentence.endswith(".")


def test_only_this_experiment_is_discussed():
    """Arms of the same name elsewhere are other networks."""
    assert [name for name in names() if experiment(name).discussed] == ["fashion-remedies"]
