"""Mean-field theory of a network at initialisation: arrays in, arrays out.

    gaussian/       averages over Gaussians: one unit, and pairs of inputs
    signal/         variance, correlation and gradient from layer to layer; critical points
    batch/          the gradient of every layer on one batch, before training
    finite_width/   how far one network strays from the infinite-width answer
    arguments       checks that the chapters share

A *gain* is of SQUARED norms unless its name says otherwise. A *weight variance* is fan_in times
Var W_ij, so that it does not depend on the width; a *bias variance* is Var b.

>>> from undertow.theory.signal.critical import critical
>>> round(critical("tanh", bias_variance=0.05).weight_variance, 4)
1.761
"""
