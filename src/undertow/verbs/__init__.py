"""The verbs of the command line, the pages and scripts: names in, one document out.

run              plan, train and summarise an experiment
report           report runs of a store
report_watched   report runs that were watched
predict          theory's gradients of a network
critical         the critical point of an activation
explain          `undertow.explain`, and the same of a run or a file's factory
diagnose         the diagnosis of a run or a file's factory
arms             the diagnosis and the budget of each arm of a study
atlas            train a trainability map and write its page
watch            follow a run that is being written
target           what a verb is asked about: a run, or a factory in the user's file
show_values      how values show themselves, registered
documents        the JSON document of each, key by key
json_reference   docs/json.md, made from them
which_study      the same of studies: built in, in the user's file, or of runs in a store
"""
