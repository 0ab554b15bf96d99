"""Tables, verdicts and the live view for a terminal.

tables       arms, claims, predictions, runs
verdict      a diagnosis and a budget
live         a run while it is written
live_table   its table of layers
"""
