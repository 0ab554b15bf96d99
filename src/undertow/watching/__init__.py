"""Your training loop -> Trace: gradients, deltas and updates of a PyTorch model, at a cost."""
