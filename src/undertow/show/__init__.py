"""Trace -> figures, tables, report. Draws what it is given; computes no statistic.

figure           Figure: a chart and its words; Kind: a figure and what it needs of a trace
figures/         one file a figure
report/          one HTML file that opens offline
terminal/        tables and the live view
notebook/        values as HTML
theme            colours, sizes, words on a chart
axes             powers of ten: ticks, labels
special_values   marks for zero, underflow, NaN, Inf and not measured
layer_profile    the gradient by layer, as numbers for figures and words for people
summary_text     the paragraph under a table
trace_summary    a trace in a line and a row a layer
png              figures as pictures
"""
