"""The command `undertow`: each file parses, calls a verb and prints.

main          the command, its exit status and its errors
options       options that commands share, and how a document is printed
experiments   list, run, atlas
theory        predict, critical
causes        explain, diagnose
store         runs, watch, report, export
pages         app, lesson
reference     docs/cli.md, made from the help texts
"""
