"""Arms x replicates -> runs in a store, resumed where they stopped.

experiment        what an experiment, an arm and a claim are
own_experiment    one of the user's own, refused where it cannot be
description       what the runs of a study carry of it, beyond their numbers
study             a plan, trained; what the store holds is not trained again
trial             one trial, trained for a page or a lesson
atlas             the trainability map over depth and weight variance
expected          what theory expects of an arm at step 1
estimate          how long a study will take
summary           traces -> the numbers of `undertow run --json`
summary_document  what those are, key by key
"""
