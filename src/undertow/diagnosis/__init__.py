"""A trace -> findings and one root cause: rules over evidence, thresholds as data.

diagnose           every rule once, one verdict
evidence           a trace as the rules read it
rule               what a rule is, and its four outcomes
rules/             one file a rule
root_cause         from what was found to one root cause
verdict            healthy, sick or undecided
abrupt_changes     where a gradient is lost or gained
thresholds         every threshold with its unit and its reason
threshold_tables   the thresholds of each rule, as its page prints them
document           its JSON document, key by key
advice             which remedies help against which cause
"""
