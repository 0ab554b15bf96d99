"""The record in the middle of Undertow: what a run measured, whoever ran it.

schema   the names, dimensions and meanings that every trace keeps to
record   Trace, and the one builder that makes it
store    many runs in one SQLite file
export   NetCDF and CSV
"""
