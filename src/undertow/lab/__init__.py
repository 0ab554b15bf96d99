"""The laboratory: an experiment becomes many trained networks, and they become traces.

randomness       a replicate's random numbers, from its own seed alone
idx, openml      MNIST and Fashion-MNIST as files, and as a download
images           pictures as rows from 0 to 1
data             the data sets, split and ready
initialisation   a network's first weights
activations      the activation functions and their slopes
normalisation    batch, layer and tensor normalisation, there and back
losses           the losses and their derivatives
parameters       where each weight of each replicate lies in one buffer
passes           the buffers that a step is written into
products         batched matrix products
network          the forward and backward pass of R networks at once
optimizers       SGD and Adam, on the whole buffer
batches          what each replicate's order takes from a data set
measure          norms and shares of a tensor
gradients        what a remedy does to the gradient
stages           layer-wise training: what grows, what is frozen
moments          every variable measured of recorded steps
recorder         which steps wait to be measured
artefacts        what a training leaves beside its records
torch_engine     trains R networks in one pass of PyTorch: the reference
lanes/           trains as many networks as a vector register holds, in C++
engine           (spec, training, data, seeds) -> chunks of a trace, by either
memory           freed memory kept for the next step
workers          shards trained side by side
experiment       what an experiment, an arm and a claim are
study            arms x replicates -> runs in a store, resumed where they stopped
readings         what is read off a trace, one number a replicate
estimate         how long a study will take, from steps timed
remedies         what is said for and against each remedy
results          traces -> the numbers of `undertow run --json`
claims/          the published claims, each with a verdict computed from the runs
experiments/     the experiments, one file each
"""
