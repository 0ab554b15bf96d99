"""Which activations are flat, told by the name that a trace has for them.

>>> saturates("tanh"), may_die("tanh")
(True, False)
>>> saturates("relu"), may_die("relu")
(False, True)
"""

from __future__ import annotations

from undertow.activations.activation import BOTH, named

# A framework's own, which a trace may name and the package has no file of.
SATURATE_ELSEWHERE = ("hard_sigmoid",)
NEVER_DIE_ELSEWHERE = ("celu",)


def saturates(activation: str) -> bool:
    """Tell whether an activation is flat at both ends."""
    known = named().get(activation)
    return known.flat == BOTH if known else activation in SATURATE_ELSEWHERE


def may_die(activation: str) -> bool:
    """Tell whether a unit's slope may be 0 for a whole batch; assumed of an unknown activation."""
    known = named().get(activation)
    return known.may_die if known else activation not in NEVER_DIE_ELSEWHERE
