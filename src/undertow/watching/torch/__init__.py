"""Gradients, deltas and updates of a PyTorch model.

watch                `undertow.watch`
step_loop            Watch: the hooks that tell the session when a step ends
optimizer_hooks      hooks around the optimizers' steps
step_starts          hooks that tell when a forward pass begins
meter                the meter: all that reads a model within a step
probe                `undertow.probe`: one pass, measured
probe_pass           one pass that leaves nothing behind in the model
hooks                hooks that measure and never end a training
layers               which modules are layers, and what they are called
layer_weights        the weights they hold, and whose optimizer has them
layer_calls          outputs on the way forward, deltas on the way back
dataflow             how layers follow each other, read off autograd's graph
activation_nodes     slopes of activations, read off autograd's nodes
weight_gradients     gradients as a backward pass leaves them, before clipping
known_edges          the edges between calls, gathered over a training
weight_changes       weights before an update, and what it changed
updates              what an optimizer changes
units                units alike, and how far outputs spread
norms                Frobenius norms that hold at the ends of a type
rows                 a step's calls, added up by layer
step_arrays          a step's readings as the arrays of one row
unseen               which layers could not be seen whole, and why
facts                what a trace says of the training beside its numbers
nonfinite_origin     where the first NaN or Inf of a step arose
logged_tensors       logged tensors as numbers
grad_scaler          the scale of mixed precision, and the updates it leaves out
watched_optimizers   each optimizer is watched once
distributed          norms over all processes
distributed_sync     processes that record the same steps
path/                what the gradient crosses from layer to layer
"""
