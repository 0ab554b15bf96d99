"""A network, a training, a data set of points and a trial, in words and numbers; no framework.

names      the names that a specification may use
checked    a value changed and validated again; a refusal is one line
network    NetworkSpec: a fully connected network
training   TrainingSpec: optimizer, learning rate, batches, epochs
toy        ToySpec: a small two-dimensional data set
trial      Trial: some seeds of one network on one small data set
"""
