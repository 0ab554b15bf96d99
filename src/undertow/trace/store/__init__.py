"""Many runs in one SQLite file: the only room that knows SQL.

reader         Store and Run: open a file, list its runs, read their traces
open_file      its file: queries, transactions
joining        flushes and shards put back together
writer         the one writer of a run
tail           the newest steps of a run, read without what came before
database       the file itself: made in one transaction, refused where it is not ours
array_codec    arrays as bytes with a type and a shape
header_codec   a run's header as JSON
process        whether the process that writes a run still lives
"""
