"""Find the critical point of an activation, as a JSON document and in words."""

from __future__ import annotations

from undertow.errors import NoCriticalPoint
from undertow.verbs.documents import CriticalDocument, CriticalPointDocument


def critical_document(activation: str, bias_variance: float) -> tuple[CriticalDocument, bool]:
    """Find the critical point; return the JSON document, and whether there is one.

    >>> document, found = critical_document("relu", 0.0)
    >>> document["weight_variance"], found
    (2.0, True)
    """
    from undertow.theory.signal.critical import critical as found

    try:
        point = found(activation, bias_variance)
    except NoCriticalPoint as error:
        return {"critical": None, "reason": str(error)}, False
    return CriticalPointDocument(activation=activation, **point._asdict()), True


def critical_words(document: CriticalDocument) -> str:
    """Say a critical point to people.

    >>> critical_words(critical_document("relu", 0.0)[0]).splitlines()[-1]
    "In a NetworkSpec: initialisation='scaled_normal(2, 0)'"
    """
    if "reason" in document:
        return document["reason"]
    settles = document["fixed_point"]
    return (
        f"{document['activation']} is critical at weights of variance "
        f"{document['weight_variance']:.6g} / fan_in and biases of variance "
        f"{document['bias_variance']:.6g}: there the norm of a gradient neither shrinks nor grows "
        "from layer to layer.\n"
        + (
            "Pre-activations keep whatever variance they have."
            if settles is None
            else f"Pre-activations settle at variance {settles:.6g}"
            + (", and return to it." if document["stable"] else ", but do not return to it.")
        )
        + f"\nIn a NetworkSpec: initialisation='scaled_normal({document['weight_variance']:.6g}, "
        f"{document['bias_variance']:.6g})'"
    )
