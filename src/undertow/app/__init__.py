"""The command line and the pages: parse, serve, call a verb; no logic.

cli/      the command `undertow`
pages/    one folder a page
server/   the pages as one server
"""
