"""Mean-field theory of a network at initialisation: arrays in, arrays out.

    activations         phi, phi' and what is known of them in closed form
    moments             Gaussian averages of one unit: E phi, E phi^2, E phi'^2, ...
    maps                variance and correlation from layer to layer, fixed points, depth scales
    critical            the weight variance at which gradients neither vanish nor explode
    kernels             the same averages for every pair of a batch
    normalised_kernels  what norms do to a batch's kernel
    gradients           the gradient norm of every layer, before training
    finite_width        how far one network strays from the infinite-width answer
    normalisation       gains under norms and skips, isometry, tailored slopes
    birth               the chance that a ReLU network is born dead

A *gain* is of SQUARED norms unless its name says otherwise. A *weight variance* is fan_in times
Var W_ij, so that it does not depend on the width; a *bias variance* is Var b.

>>> from undertow.theory.critical import critical
>>> round(critical("tanh", bias_variance=0.05).weight_variance, 4)
1.761
"""
