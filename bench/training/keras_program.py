"""The published Keras program for two moons, timed; `laboratory.py` beside it runs it as a child.

Prints one JSON document: the backend, the epochs trained, and the seconds of `model.fit` alone.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import keras
import numpy as np
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("activation")
    parser.add_argument("--epochs", type=int, default=100, help="of the program being timed")
    parser.add_argument("--trained", type=int, help="epochs to train, the rest extrapolated")
    arguments = parser.parse_args()
    trained = min(arguments.trained or arguments.epochs, arguments.epochs)

    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    keras.utils.set_random_seed(0)
    inputs, targets = make_moons(250, noise=0.05, random_state=42)
    train_inputs, _, train_targets, _ = train_test_split(
        np.asarray(inputs, np.float32), targets, test_size=0.2, random_state=42
    )
    model = keras.Sequential([keras.Input((2,))])
    for _ in range(10):
        model.add(keras.layers.Dense(10, activation=arguments.activation))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=1e-3),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )
    # The first epoch builds the graph: where epochs are extrapolated it counts once.
    silent: Any = 0  # the stubs want a word
    spent = 0.0
    if trained < arguments.epochs:
        start = time.perf_counter()
        model.fit(train_inputs, train_targets, epochs=1, batch_size=32, verbose=silent)
        spent = time.perf_counter() - start
    start = time.perf_counter()
    model.fit(train_inputs, train_targets, epochs=trained, batch_size=32, verbose=silent)
    seconds = time.perf_counter() - start
    if trained < arguments.epochs:
        seconds = spent + (arguments.epochs - 1) * seconds / trained
    print(json.dumps({"backend": keras.backend.backend(), "trained": trained, "seconds": seconds}))


if __name__ == "__main__":
    main()
