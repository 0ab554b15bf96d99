"""The page of runs: what a store holds, one or two runs of it, followed while written.

store_view   the list, the runs that are looked at, whether anything is new
settings     how two runs were made, side by side
view         what is shown of them
page         what the cells call
notebook     the cells
"""
