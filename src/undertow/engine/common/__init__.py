"""What both engines need: first weights, stages, norms, losses.

random_streams    a replicate's random numbers, from its own seed alone
initial_weights   a network's first weights
parameters        where each weight of each replicate lies in one buffer
networks          R networks of one shape as one value
stages            layer-wise training: what grows, what is frozen
batches           the batch that each replicate's order takes
activations       value, slope and backward pass of the activations
normalisation     batch, layer and tensor normalisation, forwards and backwards
losses            the losses, their derivatives, and which answers are right
gradient_rules    what a remedy does to the gradient
path_factors      what the gradient crosses, for `explain`
norms             norms and shares of a step
scoring           answers to a test set
sampling          which steps are recorded
artefacts         what a training leaves beside its records
memory            freed memory kept for the next step
threads           how many threads PyTorch computes on
stretches         generators whose threads and gradients are their own
"""
