"""The builder joins chunks, refuses what the schema does not know, and invents nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.errors import TraceError
from undertow.trace.record import Chunk, Header, Layer, Trace, build, plain_attributes, provenance
from undertow.trace.schema import VARIABLES

LAYERS = (
    Layer("hidden_1", 1, "linear", "tanh", 2, 3),
    Layer("output", 2, "linear", "linear", 3, 1),
)


def header(replicates: int = 2) -> Header:
    return Header(LAYERS, tuple(range(replicates)), provenance("trained", batch_size=8))


def chunk(steps: list[int], first_replicate: int = 0, replicates: int = 2, **arrays) -> Chunk:
    shape = (replicates, len(steps), len(LAYERS))
    filled = arrays or {"grad_norm": np.arange(np.prod(shape), dtype=np.float32).reshape(shape)}
    return Chunk(np.array(steps), np.ones(len(steps), int), filled, first_replicate)


def test_chunks_join_along_steps():
    trace = build(header(), [chunk([1, 2]), chunk([3])])
    joined = trace.to_xarray()["grad_norm"]
    assert joined.dims == ("replicate", "step", "layer")
    assert joined.shape == (2, 3, 2)
    assert joined.values[0].tolist() == [[0, 1], [2, 3], [0, 1]]


@given(
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=3),
)
def test_any_cut_into_chunks_and_shards_gives_the_same_trace(sizes: list[int], counts: list[int]):
    replicates, steps = sum(counts), sum(sizes)
    whole = np.random.default_rng(0).normal(size=(replicates, steps, 2))
    pieces = []
    for shard, count in enumerate(counts):
        first = sum(counts[:shard])
        for place, size in enumerate(sizes):
            start = sum(sizes[:place])
            part = whole[first : first + count, start : start + size]
            numbers = list(range(start + 1, start + size + 1))
            pieces.append(chunk(numbers, first, grad_norm=part))
    trace = build(header(replicates), pieces)
    assert np.array_equal(trace.dataset["grad_norm"].values, whole)


def test_what_no_chunk_covers_is_not_measured():
    trace = build(header(), [chunk([1, 2], 0, 1), chunk([1], 1, 1)])
    assert np.isnan(trace.dataset["grad_norm"].values[1, 1]).all()
    assert "loss" not in trace.dataset


def test_unknown_variable():
    with pytest.raises(TraceError, match="'gradnorm' is not a variable of the trace schema"):
        build(header(), [chunk([1], gradnorm=np.ones((2, 1, 2)))])


def test_wrong_shape():
    with pytest.raises(TraceError, match=r"grad_norm has shape \(2, 1\); its dims .* \(2, 1, 2\)"):
        build(header(), [chunk([1], grad_norm=np.ones((2, 1)))])


def test_unknown_source():
    with pytest.raises(TraceError, match="source 'guessed': allowed are predicted, trained"):
        provenance("guessed")


def test_no_steps_at_all():
    trace = build(header(), [])
    assert trace.dataset.sizes["step"] == 0
    assert list(trace.dataset["layer"].values) == ["hidden_1", "output"]


def test_to_xarray_is_a_copy():
    trace = build(header(), [chunk([1])])
    trace.to_xarray().attrs["source"] = "changed"
    assert trace.source == "trained"


def test_plain_attributes():
    came = {"a": None, "b": {"c": 1}, "d": 2.5, "e": True, "f": "text"}
    assert plain_attributes(came) == {"a": "", "b": '{"c": 1}', "d": 2.5, "e": "true", "f": "text"}


def test_every_variable_has_a_unit_and_says_what_it_means():
    assert all(variable.unit and variable.meaning for variable in VARIABLES.values())
    trace: Trace = build(header(), [chunk([1])])
    assert trace.dataset["grad_norm"].attrs["units"] == "loss"
