"""docs/cli.md, made from the help texts: python -m undertow.app.cli.reference > docs/cli.md"""

from __future__ import annotations

from typing import Any

import typer

from undertow.app.cli.main import app

HEAD = """# The command line

Made from the help texts by `make docs`; a test holds the two together.

Exit status: 0 done; 2 bad use, in one line on stderr; 130 interrupted by Ctrl-C, what is done is
kept; `diagnose` ends with 1 where a network is sick and 3 where that is undecided. With `--json`
stdout holds one JSON document and nothing else, as [json.md](json.md) describes it.
"""


def reference() -> str:
    """Return the text of docs/cli.md."""
    group: Any = typer.main.get_command(app)
    sections = [HEAD, _section("undertow", group)]
    sections += [_section(f"undertow {name}", group.commands[name]) for name in group.commands]
    return "\n".join(sections)


def _section(name: str, command: Any) -> str:
    context = command.make_context(name, [], resilient_parsing=True, max_content_width=96)
    lines = (line.rstrip() for line in command.get_help(context).splitlines())
    return f"## {name}\n\n```text\n" + "\n".join(lines).strip() + "\n```\n"


if __name__ == "__main__":
    print(reference(), end="")
