"""A network and one batch -> a Trace, before training: the gradient that theory expects.

network          `undertow.predict`
chain            what theory needs to know of a network: layers in a row, and skips
from_spec        the variances that a specification draws
from_torch       a PyTorch module read as a chain
torch_layers     its layers of weights, gathered one after the other
torch_pictures   convolutions and averages of pictures
"""
