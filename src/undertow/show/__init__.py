"""Traces and their summaries, drawn: tables, figures, the report. Computes no statistic."""
