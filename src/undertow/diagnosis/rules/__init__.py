"""The rules, one a file: a module here with a RULE is one; its page is docs/rules/CODE.md.

>>> [rule.code for rule in RULES][:2]
['UT101', 'UT102']
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from undertow.diagnosis.rule import Rule

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (import_module(f"{__name__}.{module.name}").RULE for module in iter_modules(__path__)),
        key=lambda rule: rule.code,
    )
)
