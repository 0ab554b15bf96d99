"""The schema's tables as its page prints them.

`python -m undertow.trace.schema_tables` writes them anew into docs/trace-schema.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

from undertow.errors import UndertowError
from undertow.trace.schema import ARTEFACTS, EVENTS, VARIABLES


def tables() -> dict[str, list[str]]:
    """Return the lines of each table by its first line.

    >>> tables()["| event | meaning |"][1]
    '| `interrupted` | the run ended before its last step |'
    """
    return {
        "| variable | dims | unit | meaning |": [
            "|---|---|---|---|",
            *(
                f"| `{name}` | {', '.join(dim[0] for dim in each.dims)} | {each.unit} "
                f"| {each.meaning} |"
                for name, each in VARIABLES.items()
            ),
        ],
        "| artefact | dims | meaning |": [
            "|---|---|---|",
            *(
                f"| `{name}` | {', '.join(each.dims)} | {each.meaning} |"
                for name, each in ARTEFACTS.items()
            ),
        ],
        "| event | meaning |": [
            "|---|---|",
            *(f"| `{name}` | {meaning} |" for name, meaning in EVENTS.items()),
        ],
    }


def with_tables(text: str) -> str:
    """Return a page with its tables as the schema has them now.

    Raises
    ------
    UndertowError
        The page lacks the first line of one.
    """
    lines = text.split("\n")
    for first, rows in tables().items():
        if first not in lines:
            raise UndertowError(f"the page has no line  {first}")
        begin = lines.index(first) + 1
        end = begin
        while end < len(lines) and lines[end].startswith("|"):
            end += 1
        lines[begin:end] = rows
    return "\n".join(lines)


def main(page: Path) -> None:
    """Write the tables anew into a page."""
    if not page.is_file():
        raise UndertowError(f"no file {page}: start it where docs/ is")
    page.write_text(with_tables(page.read_text()))


if __name__ == "__main__":
    try:
        main(Path("docs", "trace-schema.md"))
    except UndertowError as error:
        sys.exit(str(error))
