"""The page of runs: what a store holds, one or two runs of it, followed while they are written.

looking    the store read: the list, the runs that are looked at, whether anything is new
settings   how two runs were made, side by side
scene      what is seen of them
page       what the cells call
"""
