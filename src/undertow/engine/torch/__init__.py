"""R networks in one pass of PyTorch: the reference that lanes are held to.

train              epochs, steps, what is recorded of them
forward_backward   the passes, written by hand
buffers            the memory that a step is written into
matmul             batched products of many small matrices
optimizers         SGD and Adam on one buffer
measurements       every variable of the trace, measured
step_recorder      which steps wait to be measured
"""
