"""What pages and lessons share; style.css, keys.js and tables.js go into every page.

widgets   figures without a menu, messages, links
cards     the verdict with its waterfall, the course, the difference
redraw    threads that draw again and again
request   what the server tells its pages: which store, which data
"""
