"""A way back -> where every decade of the gradient went: an exact budget, and its words."""
