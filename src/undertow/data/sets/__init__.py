"""The data sets that an experiment may name, one file each: a module here with a DATA_SET is one.

>>> from undertow.data.sets import circles
>>> circles.DATA_SET.name
'circles'
"""
