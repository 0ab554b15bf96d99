"""Data sets, split into training and test samples.

dataset   Data, what a data set is, and `load`
sets/     the data sets that an experiment may name, one file each
toy       points in a plane, drawn from a ToySpec or read from a table
images    pictures as rows from 0 to 1
idx       the IDX files of MNIST and Fashion-MNIST
openml    the same through a download
"""
