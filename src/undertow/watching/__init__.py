"""A training loop of the user's -> Trace.

core/    steps counted, sampled and judged; knows no framework
torch/   what PyTorch measures
"""
