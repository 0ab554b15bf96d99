"""How variance, correlation and gradient travel from layer to layer.

maps         variance and correlation maps, their fixed points, depth scales
critical     the weight variance at which gradients neither vanish nor explode
norm_gains   gains under normalisation and skips, isometry, tailored slopes
dying_relu   the chance that a ReLU network is born dead
"""
