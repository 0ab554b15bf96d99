"""What a specification accepts, and the whole of what it says to what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.errors import SpecError, UnknownName
from undertow.spec.checked import with_changes
from undertow.spec.names import (
    ACTIVATIONS,
    INITIALISATIONS,
    LOSSES,
    NORMALISATIONS,
    OPTIMIZERS,
    parse_initialisation,
)
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec

NETWORK: dict[str, Any] = {
    "inputs": 2,
    "outputs": 1,
    "depth": 3,
    "width": 10,
    "activation": "relu",
}
KNOWN_ACTIVATIONS = (
    "sigmoid, tanh, relu, leaky_relu, elu, selu, gelu, silu, softplus, hard_tanh, linear."
)
KNOWN_INITIALISATIONS = (
    "glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, "
    "torch_default, orthogonal, normal, scaled_normal, centred_normal."
)

REFUSED_NETWORKS = [
    ({"depth": 0}, "depth = 0: input should be greater than 0"),
    ({"width": -1}, "width = -1: input should be greater than 0"),
    ({"inputs": 0}, "inputs = 0: input should be greater than 0"),
    (
        {"outputs": 2.5},
        "outputs = 2.5: input should be a valid integer, got a number with a fractional part",
    ),
    ({"gain": 0}, "gain = 0: input should be greater than 0"),
    ({"gain": float("inf")}, "gain = inf: input should be a finite number"),
    ({"gain": float("nan")}, "gain = nan: input should be a finite number"),
    ({"branch_scale": -1}, "branch_scale = -1: input should be greater than or equal to 0"),
    ({"branch_scale": float("inf")}, "branch_scale = inf: input should be a finite number"),
    (
        {"activation": "sigmod"},
        f"unknown activation 'sigmod': did you mean 'sigmoid'? Allowed: {KNOWN_ACTIVATIONS}",
    ),
    (
        {"activation": "xyzzy"},
        f"unknown activation 'xyzzy': Allowed: {KNOWN_ACTIVATIONS}",
    ),
    (
        {"normalisation": "bach"},
        "unknown normalisation 'bach': did you mean 'batch'? Allowed: none, batch, layer, tensor.",
    ),
    (
        {"skips": ((1, 4),)},
        "skip (1, 4): it must run forward between hidden layers 1 to 3, for example (1, 3)",
    ),
    (
        {"skips": ((2, 2),)},
        "skip (2, 2): it must run forward between hidden layers 1 to 3, for example (1, 3)",
    ),
    (
        {"skips": ((1, 2), (3, 1))},
        "skip (3, 1): it must run forward between hidden layers 1 to 3, for example (1, 3)",
    ),
    ({"skips": "identiy"}, "skips = 'identiy': input should be a valid tuple"),
    ({"depth": 0, "skips": "identity"}, "depth = 0: input should be greater than 0"),
    ({"depht": 3}, "depht = 3: extra inputs are not permitted"),
]

REFUSED_INITIALISATIONS = [
    (
        "glorot_unifrom",
        "unknown initialisation 'glorot_unifrom': did you mean 'glorot_uniform'? "
        f"Allowed: {KNOWN_INITIALISATIONS}",
    ),
    ("", f"unknown initialisation '': Allowed: {KNOWN_INITIALISATIONS}"),
    (
        "he_normal(",
        "unknown initialisation 'he_normal(': did you mean 'he_normal'? "
        f"Allowed: {KNOWN_INITIALISATIONS}",
    ),
    (
        "he_normal(2)",
        "initialisation 'he_normal(2)': he_normal takes 0 numbers of 0 or more; type  he_normal",
    ),
    (
        "normal",
        "initialisation 'normal': normal takes 1 number of 0 or more; type  normal(0.05)",
    ),
    (
        "normal(-1)",
        "initialisation 'normal(-1)': normal takes 1 number of 0 or more; type  normal(0.05)",
    ),
    (
        "normal(nan)",
        "initialisation 'normal(nan)': normal takes 1 number of 0 or more; type  normal(0.05)",
    ),
    (
        "normal(1e400)",
        "initialisation 'normal(1e400)': normal takes 1 number of 0 or more; type  normal(0.05)",
    ),
    (
        "normal(wide)",
        "initialisation 'normal(wide)': normal takes 1 number of 0 or more; type  normal(0.05)",
    ),
    (
        "scaled_normal(1)",
        "initialisation 'scaled_normal(1)': scaled_normal takes 2 numbers of 0 or more; "
        "type  scaled_normal(0.05, 0.01)",
    ),
]

REFUSED_TRAININGS = [
    (
        {"optimizer": "adma"},
        "unknown optimizer 'adma': did you mean 'adam'? Allowed: sgd, adam, keras_adam.",
    ),
    ({"learning_rate": 0}, "learning_rate = 0: input should be greater than 0"),
    ({"learning_rate": float("inf")}, "learning_rate = inf: input should be a finite number"),
    ({"momentum": 1}, "momentum = 1: input should be less than 1"),
    ({"beta1": 1.0}, "beta1 = 1.0: input should be less than 1"),
    ({"beta2": -0.1}, "beta2 = -0.1: input should be greater than or equal to 0"),
    ({"epsilon": 0}, "epsilon = 0: input should be greater than 0"),
    ({"batch_size": 0}, "batch_size = 0: input should be greater than 0"),
    ({"epochs": -5}, "epochs = -5: input should be greater than 0"),
    (
        {"loss": "mse"},
        "loss = 'mse': input should be 'binary_cross_entropy' or 'cross_entropy'",
    ),
]


def refusal(kind: type, values: dict[str, Any]) -> str:
    with pytest.raises(SpecError) as caught:
        kind(**values)
    return str(caught.value)


@pytest.mark.parametrize(("values", "message"), REFUSED_NETWORKS, ids=str)
def test_a_network_that_cannot_be_is_refused_in_one_line(values, message: str) -> None:
    assert refusal(NetworkSpec, NETWORK | values) == message
    with pytest.raises(SpecError, match=r"^[^\n]+$"):
        with_changes(NetworkSpec(**NETWORK), **values)


@pytest.mark.parametrize(("text", "message"), REFUSED_INITIALISATIONS)
def test_an_initialisation_that_cannot_be_is_refused(text: str, message: str) -> None:
    assert refusal(NetworkSpec, NETWORK | {"initialisation": text}) == message


@pytest.mark.parametrize(("values", "message"), REFUSED_TRAININGS, ids=str)
def test_a_training_that_cannot_be_is_refused_in_one_line(values, message: str) -> None:
    assert refusal(TrainingSpec, values) == message


def test_an_unknown_name_is_its_own_error() -> None:
    with pytest.raises(UnknownName, match="did you mean 'tanh'"):
        NetworkSpec(**NETWORK | {"activation": "tahn"})


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("he_normal", ("he_normal", ())),
        ("normal(0.05)", ("normal", (0.05,))),
        (" normal( 5e-2 ) ", ("normal", (0.05,))),
        ("scaled_normal(1.5,0)", ("scaled_normal", (1.5, 0.0))),
    ],
)
def test_initialisations_are_parsed(text: str, parsed) -> None:
    assert parse_initialisation(text) == parsed


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({}, (2 * 10 + 10) + 2 * (10 * 10 + 10) + (10 + 1)),
        ({"depth": 10}, 1031),  # README 001's model summary
        ({"depth": 11}, 1141),  # README 002's
        ({"depth": 1, "width": 1}, 2 + 1 + 1 + 1),
        ({"normalisation": "batch"}, 261 + 3 * (10 + 10)),
        ({"normalisation": "layer"}, 261 + 3 * (10 + 10)),
        ({"normalisation": "tensor"}, 261),
        ({"skips": "identity"}, 261),
        (
            {"inputs": 784, "outputs": 10, "depth": 7, "width": 128},
            (784 * 128 + 128) + 6 * (128 * 128 + 128) + (128 * 10 + 10),
        ),
    ],
    ids=str,
)
def test_parameters_are_counted_as_by_hand(values, count: int) -> None:
    assert NetworkSpec(**NETWORK | values).parameters == count


def test_shapes_and_names_go_from_the_input_to_the_output() -> None:
    spec = NetworkSpec(**NETWORK)
    assert spec.layer_shapes == ((2, 10), (10, 10), (10, 10), (10, 1))
    assert spec.layer_names == ("hidden_1", "hidden_2", "hidden_3", "output")


def test_identity_stands_for_a_skip_over_every_layer() -> None:
    assert NetworkSpec(**NETWORK | {"skips": "identity"}).skips == ((1, 2), (2, 3))
    assert NetworkSpec(**NETWORK | {"skips": "identity", "depth": 1}).skips == ()


def test_keras_adam_has_keras_epsilon_unless_told() -> None:
    assert TrainingSpec(optimizer="adam").epsilon == 1e-8
    assert TrainingSpec(optimizer="keras_adam").epsilon == 1e-7
    assert TrainingSpec(optimizer="keras_adam", epsilon=1e-3).epsilon == 1e-3


positive = st.floats(1e-12, 1e12)
numbers = st.floats(0, 1e6)
fractions = st.floats(0, 1, exclude_max=True)


@st.composite
def networks(draw: st.DrawFn) -> NetworkSpec:
    depth = draw(st.integers(1, 12))
    name = draw(st.sampled_from(list(INITIALISATIONS)))
    given = [repr(draw(numbers)) for _ in range(INITIALISATIONS[name])]
    ends = st.integers(1, depth)
    pairs = st.lists(st.tuples(ends, ends).filter(lambda skip: skip[0] < skip[1]), max_size=4)
    return NetworkSpec(
        inputs=draw(st.integers(1, 1000)),
        outputs=draw(st.integers(1, 1000)),
        depth=depth,
        width=draw(st.integers(1, 1000)),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        initialisation=f"{name}({', '.join(given)})" if given else name,
        gain=draw(positive),
        normalisation=draw(st.sampled_from(NORMALISATIONS)),
        skips=draw(pairs if depth > 1 else st.just([])) if draw(st.booleans()) else "identity",
        branch_scale=draw(numbers),
    )


trainings = st.builds(
    TrainingSpec,
    optimizer=st.sampled_from(OPTIMIZERS),
    learning_rate=positive,
    momentum=fractions,
    beta1=fractions,
    beta2=fractions,
    epsilon=positive,
    batch_size=st.integers(1, 10_000),
    epochs=st.integers(1, 10_000),
    loss=st.sampled_from(LOSSES),
)


@settings(max_examples=200, deadline=None)
@given(spec=networks() | trainings)
def test_a_specification_survives_the_round_trip(spec: NetworkSpec | TrainingSpec) -> None:
    kind = type(spec)
    assert kind(**spec.model_dump()) == spec
    assert kind(**json.loads(json.dumps(spec.model_dump(mode="json")))) == spec
    assert kind.model_validate_json(spec.model_dump_json()) == spec
    assert with_changes(spec) == spec
    assert hash(with_changes(spec)) == hash(spec)


@settings(max_examples=50, deadline=None)
@given(spec=networks(), depth=st.integers(1, 30))
def test_parameters_are_those_of_the_shapes(spec: NetworkSpec, depth: int) -> None:
    deeper = with_changes(spec, depth=depth, skips=())
    count = sum(rows * columns + columns for rows, columns in deeper.layer_shapes)
    normalised = 2 * deeper.width * depth if deeper.normalisation in ("batch", "layer") else 0
    assert deeper.parameters == count + normalised
