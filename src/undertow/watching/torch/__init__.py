"""Gradients, deltas and updates of a PyTorch model.

watch                `undertow.watch`
step_loop            Watch: counts steps, decides which are recorded
meter                all that measures a model within a step
probe                `undertow.probe`: one pass, measured
probe_pass           one pass that leaves nothing behind in the model
hooks                hooks that measure and never end a training
layers               which modules are layers, and what they are called
layer_calls          outputs on the way forward, deltas on the way back
activation_nodes     slopes of activations, read off autograd's nodes
weight_gradients     gradients as a backward pass leaves them, before clipping
updates              what an optimizer changes
units                units alike, and how far outputs spread
norms                Frobenius norms that hold at the ends of a type
rows                 a step's readings as the arrays of one row
nonfinite_origin     where the first NaN or Inf of a step arose
logged_values        what the user logs
header               what is said of a run beside its numbers
clock                what a step takes, and how much of it is ours
grad_scaler          the scale of mixed precision, and the updates it leaves out
watched_optimizers   each optimizer is watched once
distributed          norms over all processes
distributed_sync     processes that record the same steps
path/                what the gradient crosses from layer to layer
"""
