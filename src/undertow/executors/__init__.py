"""Jobs out, chunks back: where the networks of a study are trained.

jobs           what is trained in one pass: shards of arms of one shape
train_job      one job trained: as one batch, or large networks by turns
processes      jobs side by side, a process a core
fair_threads   threads that take turns
"""
