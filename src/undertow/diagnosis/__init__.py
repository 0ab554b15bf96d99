"""A trace -> findings and one root cause: rules over evidence, thresholds as data.

diagnose           every rule once, one verdict
evidence           a trace as the rules read it
outside_training   layers that are unused, or frozen on purpose
towers             parts of a network that are judged each along its own way
course             what of it is at the start, what at the end, and where it broke
rule               what a rule is, and its four outcomes
rules/             one file a rule
root_cause         from what was found to one root cause
verdict            healthy, sick or undecided
flat_ends          which activations are flat, and whose units may die
abrupt_changes     where a gradient is lost or gained
threshold          what a threshold is; a rule's own stand in its file
shared_thresholds  those that several rules compare with, or the verdict
thresholds         all of them as one model, with their units and reasons
threshold_tables   the thresholds of each rule, as its page prints them
document           its JSON document, key by key
advice             which remedies help against which cause
"""
