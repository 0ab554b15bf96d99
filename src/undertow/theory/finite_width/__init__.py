"""How far one network of finite width strays from the infinite-width prediction.

scatter            to first order in 1 / width
sampled_networks   by random draws, where first order fails
output_scatter     what the error at the outputs adds
"""
