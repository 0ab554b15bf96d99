"""The activation functions, one file each: a module here with an ACTIVATION is one.

activation   what an activation is; those that have a name, and `find`

A new one needs its value and its slope. Then a specification may name it, PyTorch trains it, theory
averages it by quadrature, and lanes say that they do not have it.
"""
