"""The pages as one server on this machine.

server    which address answers with what
access    who may ask
home      the page at `/`: home.html.jinja
reports   the report of runs, made when it is asked for
lessons   where the lessons are
"""
