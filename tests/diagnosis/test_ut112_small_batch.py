"""UT112: batch normalisation over so few samples that its statistics are noise."""

from __future__ import annotations

from tests.diagnosis.traces import at, chain, finding, made, outcome, verdict

NORMED = at(
    chain(),
    hidden_2={"kind": "batch_norm", "name": "norm_1"},
    hidden_4={"kind": "batch_norm", "name": "norm_2"},
)


def test_two_samples_are_too_few():
    found = finding(made(NORMED, attributes={"batch_size": 2}), "UT112")
    assert found.layers == ("norm_1", "norm_2")
    assert found.at_start
    assert found.evidence == "batch normalisation over 2 samples"


def test_a_laboratory_network_says_so_in_its_attributes():
    attributes = {"batch_size": 2, "network": {"normalisation": "batch"}}
    assert outcome(made(source="trained", attributes=attributes), "UT112") == "found"
    attributes["network"] = {"normalisation": "layer"}
    assert outcome(made(source="trained", attributes=attributes), "UT112") == "not applicable"


def test_many_samples_pass():
    trace = made(NORMED, attributes={"batch_size": 128})
    assert verdict(trace, "UT112") == ("passed", "a batch has 128 samples")


def test_it_does_not_apply_without_batch_normalisation():
    became, reason = verdict(made(attributes={"batch_size": 2}), "UT112")
    assert (became, reason) == ("not applicable", "it has no batch normalisation")
    layers = at(chain(), hidden_2={"kind": "layer_norm"})
    assert outcome(made(layers, attributes={"batch_size": 2}), "UT112") == "not applicable"


def test_it_does_not_apply_after_convolutions():
    """There the positions of a picture count as samples do."""
    layers = at(NORMED, hidden_1={"kind": "conv"}, hidden_3={"kind": "conv"})
    became, reason = verdict(made(layers, attributes={"batch_size": 2}), "UT112")
    assert became == "not applicable"
    assert "convolutions" in reason


def test_an_unknown_batch_is_not_measured():
    for size in ("", None):
        became, reason = verdict(made(NORMED, attributes={"batch_size": size}), "UT112")
        assert became == "not measured"
        assert "how large a batch is" in reason
