"""The published claims, numbered as in docs/claims.md, each decided by the runs just made.

c01 ... c15   c*_*.py: one file a claim
wording       how claims put numbers
"""
