"""The playground: controls that spell an address, a session that trains, a view of it.

url        a trial as an address, and back
controls   the address as sliders, menus and numbers
session    one thread at a time: pausing, stepping, cancelling
view       what is shown of one trial, or of two
page       what the cells call
notebook   the cells
"""
