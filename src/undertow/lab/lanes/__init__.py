"""The lanes engine: replicates in SIMD lanes, as many networks as a vector register holds.

native/    the C++ library, one idea a file
library    finds the library that suits this processor, and says what its structures look like
supports   what lanes train, and why not the rest
state      a block's numbers: PyTorch's layout there and back
blocks     networks in lanes, what they are given, and what is recorded of them
orders     in which the samples are met, as NumPy draws them
training   some epochs a call: same arguments and same results as `torch_engine.train`
"""
