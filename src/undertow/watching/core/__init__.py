"""What a watcher of any framework needs; no framework is named here.

session        counts steps, decides which are recorded, hands on what was read
meter          the contract: what a framework's watcher owes the session
schedule       which steps are recorded, under the budget and the size limit
step_choice    the schedule's choice, and an alarm's
alarms         the first NaN or Inf, and sudden jumps
origin         the place at which a NaN or Inf arose, and the words that say it
logged_values  what the user logs, and the step it belongs to
unseen         layers that cannot be seen whole: said once, and taken back
clock          how long a step takes, and how much of that is ours
guard          measuring that never ends a training
rows           a recorded step, and steps joined to a chunk
recorder       hands rows and events to memory or a store, and to other sinks
header         what is said of a run beside its numbers
words          what a watched run says to people
log            the logger through which a watch speaks
"""
