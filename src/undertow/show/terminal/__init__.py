"""Tables, verdicts and the live view for a terminal.

arms_table         an experiment's arms and claims
prediction_table   what theory expects, with a bar a layer
runs_table         a store's runs
trace_table        a trace, a row a layer
verdict            a diagnosis and a budget
live               a run while it is written
live_document      its newest step as a JSON document, key by key
live_table         its table of layers
cells              names in a table
"""
