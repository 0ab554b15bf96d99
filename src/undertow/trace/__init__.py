"""The record in the middle of Undertow: what a run measured, whoever ran it.

schema          the names, dimensions and meanings that every trace keeps to
schema_tables   the same as tables of its page
record          Trace, and the one builder that makes it
readings        what is read off a trace, one number a replicate
anomalies       where NaN began, and which zeros are underflows
dataflow        how layers follow each other, and the gradient through each cut
gradient_path   what a gradient crosses from the last hidden layer to the first
export          NetCDF and CSV
sink            the contract: what takes a run while it is recorded
sinks/          memory, a store, and others, one file each
showing         how a value shows itself, registered by a room that it does not know
store/          many runs in one SQLite file
"""
