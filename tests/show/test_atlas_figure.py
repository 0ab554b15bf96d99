"""The trainability map as a figure and as a page."""

from __future__ import annotations

import json
import re
from html import unescape
from itertools import pairwise

import numpy as np
import pytest

from tests.show.hand_made_traces import rows
from undertow.show.figures.atlas import Square, atlas
from undertow.show.report import atlas_page
from undertow.theory.signal.maps import fixed_point

VARIANCES = (0.8, 1.2, 1.8, 2.7)
DEPTHS = (2, 4, 6)
CELLS = [
    Square(depth, variance, float(depth < 5 or variance == 1.8))
    for depth in DEPTHS
    for variance in VARIANCES
]


def drawn():
    return atlas("tanh", 0.05, CELLS)


def test_every_cell_is_drawn_and_they_leave_no_gap():
    found = rows(drawn().chart, "trained")
    assert [(row["depth"], row["variance"], row["trained"]) for row in found] == [
        tuple(cell) for cell in CELLS
    ]
    lowest = [row for row in found if row["depth"] == 2]
    for one, other in pairwise(lowest):
        assert one["right"] == other["left"]
        middle = np.sqrt(one["variance"] * other["variance"])
        assert one["right"] == pytest.approx(middle)
    assert [row["bottom"] for row in found if row["variance"] == 0.8] == [1, 3, 5]


def test_the_line_is_theorys_trainable_depth():
    line = rows(drawn().chart, "part")
    for row in line[::20]:
        depth = fixed_point("tanh", row["left"], 0.05).trainable_depth
        assert row["bottom"] == pytest.approx(min(depth, 14))
    assert {row["part"] for row in line} == {"ordered", "chaotic"}


def test_the_message_says_where_the_deepest_train():
    assert drawn().title == (
        "Half of the tanh networks train down to 6 layers at a weight variance of 1.8; the edge of "
        "chaos is 1.76"
    )
    nowhere = atlas("tanh", 0.05, [cell._replace(trained_fraction=0.0) for cell in CELLS])
    assert nowhere.title == "Of tanh networks half train nowhere on this map"


def test_a_map_of_one_cell_is_drawn():
    found = atlas("relu", 0.0, [Square(3, 2.0, 1.0)])
    assert len(rows(found.chart, "trained")) == 1


def document():
    return {
        "activation": "tanh",
        "networks": 24,
        "seconds": 1.0,
        "cells": [{**cell._asdict(), "replicates": 2} for cell in CELLS],
    }


def test_the_page_has_every_number_and_escapes_the_command():
    page = atlas_page.page(document(), drawn(), method="how", command="undertow atlas <b>")
    assert "undertow atlas &lt;b&gt;" in page
    cells = re.findall(r"<td>([\d.]+)</td>", page)
    assert cells == [f"{cell.trained_fraction:.2f}" for cell in CELLS]
    (found,) = re.findall(r'data-for="atlas">(.*?)</script>', page)
    assert json.loads(found)["layer"]
    assert "default-src 'none'" in unescape(page)
