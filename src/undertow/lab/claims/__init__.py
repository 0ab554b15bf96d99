"""The published claims, numbered as in docs/claims.md, each decided by the runs just made."""
