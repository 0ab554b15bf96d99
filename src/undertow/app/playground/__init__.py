"""The playground: controls that spell an address, a session that trains, a scene that shows.

controls   the words of the address as sliders, menus and numbers
session    what is under way: one thread at a time, pausing, stepping, cancelling
scene      what is seen of one trial, or of two
"""
