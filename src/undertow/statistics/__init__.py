"""Numbers about many replicates: how good, how sure, and better than what.

    values        what comes in, checked
    intervals     of a mean (BCa, t, Welch), of a share (Wilson)
    summary       one arm: mean, spread, interquartile mean
    stuck         one arm: which replicates learnt nothing, and how many
    improvement   P(one arm beats another), its interval, how many replicates to plan
    permutation   p-values by flipping signs and by shuffling; the smallest p that n seeds can reach
    spikes        where a curve leaps out of the band of its neighbours
    bands         replicates as a line with a band, steps as few columns: what figures draw
    comparison    two arms, several comparisons (Holm)

Arrays in, plain values out. A statistic that is not defined is None, never NaN and never zero: it
is not defined when there are too few values for it, or when any value is NaN or infinite. A
replicate is never dropped, because leaving out the runs that diverged flatters an arm.
"""
