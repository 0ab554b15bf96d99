"""The activation functions: value, slope, kinks.

activation   Activation, the table of those with a name, and `find`
"""
