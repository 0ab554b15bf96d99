"""The thresholds that each rule compares with, as its page prints them.

`python -m undertow.diagnosis.threshold_tables` writes them anew into docs/rules/*.md and
docs/diagnosis.md, between two markers.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from undertow.diagnosis.rule import Rule
from undertow.diagnosis.rules import RULES
from undertow.diagnosis.shared_thresholds import FALLEN, STEPS
from undertow.diagnosis.thresholds import DEFAULT, Described, Thresholds, describe, of_rule
from undertow.errors import UndertowError

BEGIN, END = "<!-- thresholds -->", "<!-- end -->"
IDLE = {FALLEN.name, STEPS.name}  # when a loss counts as one that does not fall


def uses(rule: Rule) -> set[str]:
    """Return the names of the thresholds that a rule's file has, or that it asks for the loss with.

    >>> from undertow.diagnosis.rules import ut113_off_critical
    >>> uses(ut113_off_critical.RULE)
    {'off_critical'}
    """
    source = inspect.getsource(sys.modules[rule.check.__module__])
    found = {each.name for each in of_rule(rule)}
    return found | (IDLE if re.search(r"\.idle\b", source) else set())


def blocks(thresholds: Thresholds = DEFAULT) -> dict[str, str]:
    """Return what stands between the markers of each rule's page.

    >>> print(blocks()["UT113"])
    | threshold | value | unit | why |
    |---|---|---|---|
    | `off_critical` | 2.5 | dex | Predicted total dex, as loss or gain, of an initialisation. |
    """
    rows = describe(thresholds)
    return {
        rule.code: table(row for row in rows if row.name in used)
        for rule, used in ((rule, uses(rule)) for rule in RULES)
    }


def table(rows: Iterable[Described]) -> str:
    """Return thresholds as a table of Markdown, or say that there is none."""
    lines = [f"| `{each.name}` | {each.value:g} | {each.unit} | {each.reason} |" for each in rows]
    if not lines:
        return "This rule compares with no threshold."
    return "\n".join(["| threshold | value | unit | why |", "|---|---|---|---|", *lines])


def block_of(text: str) -> str:
    """Return what stands between the markers of a page.

    >>> block_of(f"How. {BEGIN}a{END} Why.")
    'a'
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise UndertowError(f"a page has one {BEGIN} and one {END}")
    return text.partition(BEGIN)[2].partition(END)[0].strip("\n")


def with_block(text: str, block: str) -> str:
    """Return a page with another block between its markers."""
    block_of(text)
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{block}\n{END}{rest.partition(END)[2]}"


def main(docs: Path) -> None:
    """Write the thresholds anew into every page of a folder."""
    if not (docs / "rules").is_dir():
        raise UndertowError(f"no folder {docs / 'rules'}: start it where docs/ is")
    pages = {docs / "rules" / f"{code}.md": block for code, block in blocks().items()}
    pages[docs / "diagnosis.md"] = table(describe())
    for page, block in pages.items():
        page.write_text(with_block(page.read_text(), block))


if __name__ == "__main__":
    try:
        main(Path("docs"))
    except UndertowError as error:
        sys.exit(str(error))
