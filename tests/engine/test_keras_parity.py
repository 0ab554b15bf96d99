"""The published nets in Keras 3 on PyTorch: same loss, gradients, training and first weights."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from itertools import chain

import numpy as np
import pytest
import torch
from scipy import stats

from tests.engine.plain_torch import double, engine_training, one_thread, plain_batches, size
from undertow.data.dataset import load
from undertow.engine.common.initial_weights import initial_weights
from undertow.engine.common.losses import derivative, losses
from undertow.engine.common.normalisation import running_statistics
from undertow.engine.common.parameters import initial_parameters
from undertow.engine.torch.buffers import step_buffers
from undertow.engine.torch.forward_backward import backward, forward
from undertow.experiments import experiment
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec

MOONS = load("moons")
NETWORK = experiment("moons").arm("sigmoid").network
TRAINING = with_changes(experiment("moons").arm("sigmoid").training, epochs=3)
SEEDS, PLACE = [0, 1, 2, 3], 2
ACTIVATIONS = ("sigmoid", "relu", "tanh")


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """Keras on PyTorch; it reads its backend and its home folder from the environment, once."""
    with pytest.MonkeyPatch.context() as patch, one_thread():
        patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        module = importlib.import_module("keras")
        assert module.backend.backend() == "torch"
        yield module


def published(keras, activation: str, seed: int):
    """The published model, ending in a sigmoid, with our first weights."""
    dense = keras.layers.Dense
    model = keras.Sequential(
        [
            keras.Input((2,)),
            *(dense(10, activation=activation) for _ in range(10)),
            dense(1, activation="sigmoid"),
        ]
    )
    spec = with_changes(NETWORK, activation=activation)
    model.set_weights([*chain.from_iterable(initial_weights(spec, seed))])
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=1e-3), loss="binary_crossentropy")
    return model


def test_the_published_model_is_ours(keras) -> None:
    model = published(keras, "sigmoid", 0)
    assert model.count_params() == NETWORK.parameters == 1031
    adam = model.optimizer
    assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.9, 0.999, 1e-7)
    assert (TRAINING.beta1, TRAINING.beta2, TRAINING.epsilon) == (0.9, 0.999, 1e-7)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_loss_and_every_gradient_are_keras(keras, activation: str) -> None:
    spec = with_changes(NETWORK, activation=activation)
    inputs, targets = next(plain_batches(TRAINING, MOONS, SEEDS[PLACE], torch.float32))[0]
    model = published(keras, activation, SEEDS[PLACE])
    theirs = keras.ops.mean(
        keras.losses.binary_crossentropy(targets[:, None].float(), model(inputs))
    )
    theirs.backward()

    parameters = initial_parameters(spec, SEEDS, torch.float32)
    running = running_statistics(spec, len(SEEDS), torch.float32)
    at = step_buffers(spec, len(SEEDS), len(targets), torch.float32).each[0]
    batch = inputs.T.expand(len(SEEDS), -1, -1)
    answers = targets.expand(len(SEEDS), -1)
    logits = forward(spec, parameters, running, batch, at, training=True)
    ours = losses(TRAINING.loss, logits, answers)
    derivative(TRAINING.loss, logits, answers, at.last_delta)
    backward(spec, parameters, batch, at)
    gradients = [*at.gradient.weights, *at.gradient.biases]

    assert ours[PLACE].item() == pytest.approx(theirs.item(), rel=1e-5)
    kernels, biases = model.weights[::2], model.weights[1::2]
    for variable, gradient in zip([*kernels, *biases], gradients, strict=True):
        expected = double(variable.value.grad)
        difference = double(gradient)[PLACE].T.reshape(expected.shape) - expected
        assert size(expected) > 0
        assert size(difference) < 1e-5 * size(expected)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_training_of_21_steps_is_keras(keras, activation: str) -> None:
    """Parameters to 1e-6, each tensor's whole change to 5e-4: both are moved on a float32 grid.

    The first sigmoid layers' gradients are 1e-7 here, and Keras's epsilon rules their steps.
    """
    spec = with_changes(NETWORK, activation=activation)
    losses, differences, changes = trained_in_keras(keras, spec, TRAINING)
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert differences.max() < 1e-6
    assert changes.max() < 5e-4


def test_torch_adam_with_keras_epsilon_is_not_keras(keras) -> None:
    """The comparison can fail, and with the form of Adam most easily taken for Keras's."""
    torch_adam = with_changes(TRAINING, optimizer="adam")
    assert torch_adam.epsilon == 1e-7
    _, _, changes = trained_in_keras(keras, NETWORK, torch_adam)
    assert changes[0] > 1


def trained_in_keras(keras, spec: NetworkSpec, training: TrainingSpec):
    """Train in both; return losses, largest differences and relative differences of the change."""
    found = engine_training(spec, training, MOONS, SEEDS)
    model = published(keras, spec.activation, SEEDS[PLACE])
    losses = []
    for batches in plain_batches(training, MOONS, SEEDS[PLACE], torch.float32):
        for inputs, targets in batches:
            losses.append(model.train_on_batch(inputs.numpy(), targets[:, None].numpy()))
            model.reset_metrics()
    assert len(losses) == 21
    start = chain.from_iterable(initial_weights(spec, SEEDS[PLACE]))
    ours = chain.from_iterable(zip(found.parameters.weights, found.parameters.biases, strict=True))
    differences, changes = [], []
    for begun, variable, parameter in zip(start, model.weights, ours, strict=True):
        ended = double(variable.value)
        difference = double(parameter)[PLACE].T.reshape(ended.shape) - ended
        differences.append(difference.abs().max().item())
        changes.append(size(difference) / size(ended - torch.from_numpy(begun)))
    return (found.arrays["loss"][PLACE], losses), np.array(differences), np.array(changes)


DRAWS = {
    "glorot_uniform": "GlorotUniform",
    "glorot_normal": "GlorotNormal",
    "he_uniform": "HeUniform",
    "he_normal": "HeNormal",
    "lecun_uniform": "LecunUniform",
    "lecun_normal": "LecunNormal",
}


@pytest.mark.parametrize("shape", [(700, 300), (300, 700)], ids=str)
@pytest.mark.parametrize("name", [*DRAWS, "normal(0.05)"])
def test_first_weights_are_distributed_as_keras_draws_them(keras, name: str, shape) -> None:
    if name in DRAWS:
        initialiser = getattr(keras.initializers, DRAWS[name])(seed=1)
    else:
        initialiser = keras.initializers.RandomNormal(stddev=0.05, seed=1)
    theirs = double(initialiser(shape)).numpy().ravel()
    inputs, units = shape
    spec = NetworkSpec(
        inputs=inputs, outputs=1, depth=1, width=units, activation="relu", initialisation=name
    )
    ours = initial_weights(spec, seed=1)[0][0].astype(np.float64).ravel()
    assert abs(ours.mean()) < 4 * ours.std() / ours.size**0.5
    assert ours.std() == pytest.approx(theirs.std(), rel=0.01)
    if name in DRAWS:  # bounded: by the interval, or by two standard deviations
        assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)
    _, p_value = np.asarray(stats.ks_2samp(ours, theirs))
    assert p_value > 1e-3


@pytest.mark.parametrize("shape", [(60, 25), (25, 60), (30, 30)], ids=str)
def test_orthogonal_weights_are_as_orthogonal_as_keras(keras, shape) -> None:
    inputs, units = shape
    spec = NetworkSpec(
        inputs=inputs,
        outputs=1,
        depth=1,
        width=units,
        activation="relu",
        initialisation="orthogonal",
    )
    ours = torch.from_numpy(initial_weights(spec, seed=1)[0][0])
    theirs = keras.initializers.Orthogonal(seed=1)(shape)
    for weights in (double(ours), double(theirs)):
        short = weights if units <= inputs else weights.T
        identity = torch.eye(min(shape), dtype=torch.float64)
        torch.testing.assert_close(short.T @ short, identity, rtol=0, atol=1e-5)
