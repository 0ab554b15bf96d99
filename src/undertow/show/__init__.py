"""Trace -> figures, tables, report. Draws what it is given; every number comes from statistics.

theme      colours, sizes, words on a chart
axes       powers of ten: ticks, labels, numbers in sentences
special    marks for zero, underflow, NaN, Inf and not measured
figure     Figure: a chart and its words; Kind: a figure and what it needs of a trace
figures    one file a figure
words      the paragraph under the table
terminal   tables for the terminal
page_tables  rows of the report's tables
report     one HTML file that opens offline
png        the figures as pictures
"""
