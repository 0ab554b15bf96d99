"""Trace -> findings, one root cause, what to do: rules over a reading, thresholds as data."""
