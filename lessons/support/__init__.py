"""What the lessons share.

parts           head, forecast, verdict, and the run as a script
trials          what a lesson trains and measures
figures         what a lesson draws
panels          figures of several panels
checks          whether an answer is right
sealed_models   the models of lesson 6
"""
