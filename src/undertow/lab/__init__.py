"""The laboratory: an experiment becomes many trained networks, and they become traces.

randomness       a replicate's random numbers, from its own seed alone
data             the data sets, split and ready
initialisation   a network's first weights
activations      the activation functions and their slopes
parameters       where each weight of each replicate lies in one buffer
network          the forward pass of R networks at once
optimizers       SGD and Adam, on the whole buffer
measure          norms and shares of one step
engine           (spec, training, data, seeds) -> chunks of a trace
study            arms x replicates -> runs in a store, resumed where they stopped
results          traces -> the numbers of `undertow run --json`
claims/          the published claims, each with a verdict computed from the runs
experiments/     the experiments, one file each
"""
