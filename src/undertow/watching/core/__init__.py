"""What every watch shares, whatever framework trains; imports none.

schedule   which steps are recorded, within a budget of time
recorder   recorded steps kept in memory or written to a store
alarms     the first NaN or Inf, and sudden jumps
origin     where the first NaN or Inf arose, in words
words      what a watched run says to people
log        the logger
"""
