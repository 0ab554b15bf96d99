"""Cuts of a graph of layers, against sums made by hand; towers, against drawings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.trace.dataflow import Dataflow, Edge, chain, edges_of


def edge(source: int, target: int, *, skip: bool = False, scale: float | None = None) -> Edge[int]:
    return Edge(source, target, skip, 1.0 if skip and scale is None else scale)


# A residual network: 0 -> [1 -> 2] + 0 -> [3 -> 4] + -> 5.
STREAM = [
    edge(0, 1),
    edge(1, 2),
    edge(0, 2, skip=True),
    edge(2, 3),
    edge(3, 4),
    edge(2, 4, skip=True),
    edge(4, 5),
]


@given(st.lists(st.floats(1e-30, 1e30), min_size=2, max_size=12))
def test_of_a_chain_a_cut_goes_through_one_layer(deltas: list[float]):
    found = Dataflow(chain(range(len(deltas)))).cuts(np.array(deltas))
    assert found == pytest.approx(deltas, rel=1e-12)


def test_beside_a_stream_a_branch_may_get_next_to_nothing():
    delta = np.array([1.0, 1e-6, 0.9, 1e-7, 0.8, 0.7])
    found = Dataflow(STREAM).cuts(delta)
    # Behind 1 its own output is alive and the stream, whose delta is that of what joins it next.
    by_hand = [1.0, np.hypot(1e-6, 0.9), 0.9, np.hypot(1e-7, 0.8), 0.8, 0.7]
    assert found == pytest.approx(by_hand, rel=1e-12)


def test_what_joins_a_stream_scaled_tells_of_the_stream_unscaled():
    scaled = [each._replace(scale=1e-6) if each.skip else each for each in STREAM]
    delta = np.array([1.0, 1e-7, 0.9e-6, 1e-7, 0.8e-6, 0.7])
    found = Dataflow(scaled).cuts(delta)
    assert found == pytest.approx([1.0, 0.9, 0.9, 0.8, 0.8, 0.7], rel=1e-9)


def test_a_stream_that_loses_its_gradient_has_lost_it():
    delta = 10.0 ** np.array([-8, -8, -8, -4, -4, 0])
    cuts = np.log10(Dataflow(STREAM).cuts(delta))
    assert cuts[0] - cuts[4] == pytest.approx(-4)


def test_branches_side_by_side_add_up():
    both = [edge(0, 1), edge(0, 2), edge(1, 3), edge(2, 3)]
    found = Dataflow(both).cuts(np.array([5.0, 3.0, 4.0, 1.0]))
    # Behind 1: its own, and all of 0 that 2 is still to read.
    assert found == pytest.approx([5.0, np.hypot(3, 5), 5.0, 1.0])


def test_a_delta_that_is_not_known_leaves_its_place_unknown():
    found = Dataflow(chain(range(3))).cuts(np.array([1.0, np.nan, 2.0]))
    assert np.isnan(found).tolist() == [False, True, False]


def test_replicates_are_cut_each_by_itself():
    delta = np.array([[1.0, 2.0, 3.0], [1e-20, 1e-30, 1.0]])
    assert Dataflow(chain(range(3))).cuts(delta) == pytest.approx(delta, rel=1e-12)


def test_two_networks_side_by_side_are_two_towers():
    found = Dataflow([edge(0, 1), edge(2, 3), edge(1, 4), edge(3, 5)])
    assert found.towers == [[0, 1, 4], [2, 3, 5]]
    assert found.ends == {4, 5}


def test_an_encoder_is_a_tower_and_what_reads_it_another():
    # 0 -> 1 the encoder; 2 an embedding of its own; 3 reads both, 4 is the head.
    found = Dataflow([edge(0, 1), edge(1, 3), edge(2, 3), edge(3, 4)])
    assert found.towers == [[0, 1], [2], [3, 4]]
    assert found.ends == {4}


def test_heads_of_one_trunk_are_one_tower():
    assert Dataflow([edge(0, 1), edge(1, 2), edge(1, 3)]).towers == [[0, 1, 2, 3]]


def test_an_edge_back_is_left_out():
    assert Dataflow([edge(0, 1), edge(1, 0), edge(1, 2)]).edges == [edge(0, 1), edge(1, 2)]


def test_edges_come_back_from_a_header():
    listed = [["a", "b", True, 0.5], ["b", "c", False, None]]
    assert edges_of({"edges": listed}) == (Edge("a", "b", True, 0.5), Edge("b", "c", False, None))
    assert edges_of({"edges": ()}) == ()
