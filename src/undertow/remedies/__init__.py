"""What helps against each cause, one file a remedy: a module here with a REMEDY is one.

    remedy       what a remedy is
    on_trial     a remedy applied to a trial of the laboratory
    discussion   what speaks for and against the remedies of a study, with its numbers

>>> REMEDIES["batch-norm"].advice
"normalise each layer's output over the batch"
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from undertow.remedies.remedy import Remedy

BESIDE = ("remedy", "on_trial", "discussion")  # in this room, and no remedies

REMEDIES: dict[str, Remedy] = {
    remedy.name: remedy
    for remedy in (
        import_module(f"{__name__}.{module.name}").REMEDY
        for module in iter_modules(__path__)
        if module.name not in BESIDE
    )
}

# Name -> what to do, of those that a diagnosis names.
ADVICE = {name: remedy.advice for name, remedy in REMEDIES.items() if remedy.advice}
