"""The gradient of every layer of one network on one batch, before training.

gradients            the gradient norm of every layer
normalised_kernels   what batch, layer and tensor norm do to a batch's kernel
skips                second moments of sums, forwards and backwards
convolutions         covariances over the positions of a picture
output_errors        what a loss sends back from the outputs
"""
