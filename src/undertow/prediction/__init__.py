"""A network and one batch -> a Trace, before training: the gradient that theory expects."""
