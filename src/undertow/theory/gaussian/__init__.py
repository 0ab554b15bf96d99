"""Averages over Gaussians: one unit, and pairs of inputs.

moments           E phi, E phi^2, E phi'^2, ... of one unit
kernels           E phi(u) phi(v) and E phi'(u) phi'(v) for every pair of a batch
known             which of these averages an activation has in closed form
closed_forms      two-slope functions, erf, hard tanh
smooth_steps      gelu and the logistic family
mehler            the series of a pair average, with its tail and its error
pair_quadrature   pair averages by quadrature, split along every kink
"""
