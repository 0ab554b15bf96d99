"""Each remedy's name and the advice that goes with it."""

from __future__ import annotations

# Name -> what to do.
ADVICE = {
    "batch-norm": "normalise each layer's output over the batch",
    "residual-scaled": "add each layer's input to its output, branches scaled by 1 / sqrt(depth)",
    "critical": "draw the initial weights at the activation's critical variance (ut.critical)",
    "relu-he": "ReLU, with He's initial weights",
    "tanh-lecun": "tanh, with LeCun's initial weights",
    "selu": "SELU, with LeCun's initial weights",
    "layer-norm": "normalise each sample's activations over the units",
    "gradient-clip": "clip the gradient's norm",
    "learning-rate-down": "divide the learning rate by ten",
    "learning-rate-up": "multiply the learning rate by ten",
    "warm-up": "let the learning rate grow over the first hundred steps",
    "standardise-inputs": "subtract the inputs' mean and divide by their standard deviation",
    "larger-batch": "take batches of 16 and more",
    "random-weights": "draw the initial weights at random: equal ones never part",
    "zero-biases": "begin with biases of 0",
    "leaky-relu": "leaky ReLU: its units cannot die",
    "wider": "more units a layer: a layer of n is born dead with a chance of 2^-n",
    "reattach": "look for detach(), no_grad(), .data or an unused module before that layer",
    "unfreeze": "requires_grad_(True), unless it is frozen on purpose",
    "give-to-optimizer": "give those weights to the optimizer",
    "guard-arithmetic": "look for log(0), sqrt(0), 0/0 or NaN in the data at that place",
}
