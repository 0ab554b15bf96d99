"""(spec, training, data, seeds) -> chunks of a trace: R networks trained in one pass.

engine    the contract: what an engine promises
choice    which engine trains what
common/   what both engines need
torch/    the reference engine
lanes/    small networks in C++, as many as a vector register holds
"""
