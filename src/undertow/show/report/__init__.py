"""The report: one HTML file with every figure, table and word, that opens offline.

page          the file: report.html.jinja, report.css and report.js filled in
brief         its first screen: the verdict, what was tried, what to do
questions     its figures, under the questions that they answer
page_tables   rows of its tables
method        how its numbers were made
glossary      its words, and the variables that it draws
citation      how it is cited and made again
atlas_page    the page of a trainability map: atlas.html.jinja
"""
