"""Values as a notebook shows them.

values   a trace, a diagnosis and a budget as HTML
"""
