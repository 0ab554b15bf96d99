"""What the gradient crosses on its path through a PyTorch model, for `undertow.explain`.

factors            one pass, and the factor of everything the gradient crosses
named_factors      what lies along the path, named
weight_gradients   what makes the gradient of each weight
autograd_graph     the graph that autograd leaves, walked from the loss
node_kinds         what a node is to a gradient: weights, an activation, a norm
input_patches      how large what a layer reads is
"""
