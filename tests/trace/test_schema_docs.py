"""docs/trace-schema.md and the schema in code say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from undertow.errors import UndertowError
from undertow.trace import schema_tables
from undertow.trace.schema import ARTEFACTS, EVENTS, LAYER_COORDINATES, VARIABLES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "trace-schema.md"
SHORT = {"replicate": "r", "step": "s", "layer": "l"}


def rows() -> list[str]:
    variables = [
        f"| `{name}` | {', '.join(SHORT[dim] for dim in each.dims)} | {each.unit} "
        f"| {each.meaning} |"
        for name, each in VARIABLES.items()
    ]
    artefacts = [
        f"| `{name}` | {', '.join(each.dims)} | {each.meaning} |"
        for name, each in ARTEFACTS.items()
    ]
    events = [f"| `{name}` | {meaning} |" for name, meaning in EVENTS.items()]
    return [*variables, *artefacts, *events]


def test_every_row_of_the_page_is_in_the_code_and_the_other_way_round():
    page = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert page == rows()


def test_every_coordinate_is_explained():
    assert all(f"`{name}`" in PAGE.read_text() for name in LAYER_COORDINATES)


def test_the_page_is_as_it_is_printed(tmp_path: Path):
    copy = tmp_path / "page.md"
    copy.write_text(PAGE.read_text())
    schema_tables.main(copy)
    assert copy.read_text() == PAGE.read_text()


def test_a_row_that_went_astray_is_put_right(tmp_path: Path):
    copy = tmp_path / "page.md"
    gone, changed = "| `loss` |", "| `overhead` | s | share |"
    lines = [line for line in PAGE.read_text().split("\n") if not line.startswith(gone)]
    copy.write_text("\n".join(lines).replace(changed, "| `overhead` | r | dex |"))
    assert copy.read_text() != PAGE.read_text()
    schema_tables.main(copy)
    assert copy.read_text() == PAGE.read_text()


def test_a_page_without_its_tables_is_refused(tmp_path: Path):
    (tmp_path / "page.md").write_text("# The trace schema\n")
    with pytest.raises(UndertowError, match=r"^the page has no line  \| variable \|"):
        schema_tables.main(tmp_path / "page.md")
    with pytest.raises(UndertowError, match="start it where docs/ is$"):
        schema_tables.main(tmp_path / "none.md")
