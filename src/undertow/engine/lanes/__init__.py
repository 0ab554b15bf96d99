"""The lanes engine: replicates in SIMD lanes, as many networks as a vector register holds.

native/          the C++ library, one idea a file
native_library   finds the library that suits this processor, and describes its structures
supports         what lanes train, and why not the rest
layout           a block's numbers: PyTorch's layout to lanes and back
networks         networks in lanes, what they are given, and what is recorded of them
sample_orders    in which order the samples are met, as NumPy draws them
train            some epochs a call: same arguments and same results as engine/torch/train
"""
