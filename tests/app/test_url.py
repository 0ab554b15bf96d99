"""The address holds the whole state: what is written is read back, what is wrong is one line."""

from __future__ import annotations

import contextlib
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.app.pages.playground import url
from undertow.errors import SpecError, UndertowError
from undertow.experiments.presets import PRESETS
from undertow.spec.names import ACTIVATIONS, NORMALISATIONS, OPTIMIZERS
from undertow.spec.network import NetworkSpec
from undertow.spec.toy import SHAPES, ToySpec
from undertow.spec.training import TrainingSpec
from undertow.spec.trial import Trial

STARTS = ("glorot_uniform", "he_normal", "torch_default", "orthogonal", "scaled_normal(1.5,0.05)")


@st.composite
def trials(draw):
    network = NetworkSpec(
        inputs=2,
        outputs=1,
        depth=draw(st.integers(1, 50)),
        width=draw(st.integers(2, 64)),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        initialisation=draw(st.sampled_from(STARTS)),
        gain=draw(st.sampled_from([0.5, 1.0, 1.327, 3.0])),
        normalisation=draw(st.sampled_from(NORMALISATIONS)),
        skips=draw(st.sampled_from([(), "identity"])),
        branch_scale=draw(st.sampled_from([0.1826, 1.0])),
    )
    training = TrainingSpec(
        optimizer=draw(st.sampled_from(OPTIMIZERS)),
        learning_rate=draw(st.sampled_from([1e-5, 3e-3, 0.1, 10.0])),
        epochs=draw(st.integers(1, 500)),
        batch_size=draw(st.integers(1, 512)),
        clip=draw(st.sampled_from([None, 0.5, 2.0])),
        momentum=draw(st.sampled_from([0.0, 0.9])),
    )
    data = ToySpec(
        shape=draw(st.sampled_from(SHAPES)),
        samples=draw(st.integers(20, 5_000)),
        noise=draw(st.sampled_from([0.0, 0.05, 0.3])),
        standardised=draw(st.booleans()),
        scale=draw(st.sampled_from([0.01, 1.0, 100.0])),
        offset=draw(st.sampled_from([-10.0, 0.0, 10.0])),
    )
    seed, replicates = draw(st.integers(0, 1_000)), draw(st.integers(1, 64))
    return Trial(data=data, network=network, training=training, seed=seed, replicates=replicates)


@given(trial=trials())
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_back(trial):
    words = dict(parse_qsl(url.write_url(trial).removeprefix("?"), strict_parsing=False))
    assert url.read_url(words) == trial
    assert words == url.words(trial)


@pytest.mark.parametrize("each", PRESETS, ids=lambda each: each.name)
def test_every_preset_and_twist_has_an_address(each):
    for trial in (each.trial, *(trial for _, trial in each.twists)):
        assert url.read_url(url.words(trial)) == trial


@given(words=st.dictionaries(st.sampled_from([*url.KEYS, "seeds", "nonsense"]), st.text()))
@settings(max_examples=300, deadline=None)
def test_any_address_is_read_or_refused_in_one_line(words):
    with contextlib.suppress(UndertowError), one_line():
        url.read_url(words)


@contextlib.contextmanager
def one_line():
    try:
        yield
    except UndertowError as error:
        said = str(error)
        assert said.isprintable(), said
        raise


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"depths": "3"}, "unknown word in the address 'depths': did you mean 'depth'?"),
        ({"depth": "many"}, "depth=many in the address: a whole number"),
        ({"depth": "51"}, "depth=51 in the address: at most 50 on this page"),
        ({"width": "65"}, "width=65 in the address: at most 64 on this page"),
        ({"epochs": "501"}, "epochs=501 in the address: at most 500 on this page"),
        ({"standardise": "perhaps"}, "standardise=perhaps in the address: yes or no"),
        ({"skip": "all"}, "skip=all in the address: none or identity"),
        ({"seeds": "5"}, "seeds=5 in the address: 1 to 64 seeds, for example 0-7"),
        ({"seeds": "0-64"}, "seeds=0-64 in the address: 1 to 64 seeds, for example 0-7"),
        ({"lr": "-1"}, "learning_rate = -1.0: "),
        ({"lr": "nan"}, "learning_rate = nan: "),
    ],
)
def test_what_is_wrong_is_named(words, said):
    with pytest.raises(SpecError) as caught:
        url.read_url(words)
    assert str(caught.value).startswith(said)


def test_the_words_of_the_pages_own_machinery_are_passed_over():
    assert url.read_url({"session_id": "s_1", "lock": "depth"}) == url.read_url({})
