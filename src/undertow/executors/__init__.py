"""Jobs out, chunks back: where the networks of a study are trained.

executor       the contract: what an executor promises
jobs           what is trained in one pass: shards of arms of one shape
train_job      one job trained: as one batch, or large networks by turns
here           the smallest executor: in this process
processes      jobs side by side, a process a core
helpers        the processes beside the caller's, and what travels between them
fair_threads   threads that take turns
"""
