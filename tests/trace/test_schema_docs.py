"""docs/trace-schema.md and the schema in code say the same."""

from __future__ import annotations

from pathlib import Path

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
