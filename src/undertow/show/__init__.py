"""Trace -> figures, tables, report. Draws what it is given; every number comes from statistics.

theme      colours, sizes, words on a chart
axes       powers of ten: ticks, labels, numbers in sentences
special    marks for zero, underflow, NaN, Inf and not measured
figure     Figure: a chart and its words; Kind: a figure and what it needs of a trace
figures    one file a figure
words      the paragraph under the table
terminal   tables for the terminal
page_tables  rows of the report's tables
report     one HTML file that opens offline; its page is report.html.jinja, .css and .js
brief      its first screen: the verdict, what was tried, what happened, what to do
questions  its figures, under the questions that they answer
method     how its numbers were made
glossary   its words, and the schema's variables that it draws
citation   how it is cited and made again
png        the figures as pictures
"""
