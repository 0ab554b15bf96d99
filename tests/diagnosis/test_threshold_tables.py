"""Each rule has a page, with the thresholds that the code compares with."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from undertow.diagnosis import rules, threshold_tables
from undertow.diagnosis.thresholds import Thresholds, describe, of_module, of_rule
from undertow.errors import UndertowError
from undertow.remedies import ADVICE

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
SECTIONS = ["How it is detected", "Why it matters", "What to do", "What it cannot see"]
RULES = {rule.code: rule for rule in rules.RULES}


def page(code: str) -> str:
    return (REPOSITORY / RULES[code].page).read_text()


def section(code: str, title: str) -> str:
    return page(code).partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("code", RULES)
def test_a_page_has_its_title_and_sections_and_today_s_thresholds(code: str):
    lines = page(code).splitlines()
    assert lines[0] == f"# {code}: {RULES[code].title}"
    assert [line[3:] for line in lines if line.startswith("## ")] == SECTIONS
    assert all(section(code, title).strip() for title in SECTIONS)
    wanted = threshold_tables.blocks()[code]
    assert threshold_tables.block_of(page(code)) == wanted, (
        "type  python -m undertow.diagnosis.threshold_tables"
    )
    assert threshold_tables.block_of(section(code, SECTIONS[0])) == wanted


def test_there_are_pages_of_rules_only():
    assert sorted(path.stem for path in (DOCS / "rules").glob("*")) == sorted(RULES)
    assert set(threshold_tables.blocks()) == set(RULES)


def test_every_threshold_is_on_a_page():
    """A threshold that neither a rule nor the verdict reads would promise what is not done."""
    used = {name for rule in rules.RULES for name in threshold_tables.uses(rule)}
    of_the_verdict = {"doubtful"}
    assert used | of_the_verdict == {each.name for each in describe()}
    assert not used & of_the_verdict


def test_no_two_thresholds_have_one_name():
    shared = of_module("undertow.diagnosis.shared_thresholds")
    declared = shared.union(*map(of_rule, rules.RULES))
    assert len({each.name for each in declared}) == len(declared) == len(Thresholds.model_fields)
    # What a rule declares for itself no other rule has.
    own = [each for rule in rules.RULES for each in of_rule(rule) - shared]
    assert len(set(own)) == len(own)


def test_a_rule_uses_what_it_reads():
    """Directly, or by asking whether the loss falls."""
    assert threshold_tables.uses(RULES["UT101"]) >= {"vanishing", "at_once", "fallen", "steps"}
    assert threshold_tables.uses(RULES["UT109"]) == {"distinct", "fallen", "steps"}
    assert threshold_tables.uses(RULES["UT105"]) == set()


@pytest.mark.parametrize("code", RULES)
def test_what_to_do_names_remedies(code: str):
    advised = section(code, "What to do")
    named = re.findall(r"`([\w-]+)`", advised)
    assert set(named) & set(ADVICE)
    assert {name for name in named if "-" in name} <= set(ADVICE)


def test_every_remedy_is_on_a_page():
    text = "".join(section(code, "What to do") for code in RULES)
    lacking = {name for name in ADVICE if f"`{name}`" not in text}
    assert lacking <= {"selu"}  # an arm of the laboratory's, no rule's remedy


def test_links_lead_to_pages():
    for path in [*(DOCS / "rules").glob("*.md"), DOCS / "diagnosis.md", DOCS / "explanation.md"]:
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / link).is_file(), f"{path.name}: {link}"


def test_the_room_s_page_has_all_thresholds():
    assert threshold_tables.block_of((DOCS / "diagnosis.md").read_text()) == threshold_tables.table(
        describe()
    )


def test_other_thresholds_make_other_blocks():
    other = threshold_tables.blocks(Thresholds(vanishing=-7.25))
    assert "| `vanishing` | -7.25 | dex |" in other["UT101"]
    assert other["UT103"] == threshold_tables.blocks()["UT103"]


def test_the_program_writes_the_blocks_and_nothing_else(tmp_path: Path):
    folder = tmp_path / "docs" / "rules"
    folder.mkdir(parents=True)
    originals = [*(DOCS / "rules").glob("*.md"), DOCS / "diagnosis.md"]
    for path in originals:
        copy = tmp_path / "docs" / path.relative_to(DOCS)
        copy.write_text(threshold_tables.with_block(path.read_text(), "old"))
    threshold_tables.main(tmp_path / "docs")
    for path in originals:
        assert (tmp_path / "docs" / path.relative_to(DOCS)).read_text() == path.read_text()


def test_a_page_without_markers_is_refused():
    for text in (
        "",
        threshold_tables.BEGIN,
        threshold_tables.END,
        2 * (threshold_tables.BEGIN + threshold_tables.END),
    ):
        with pytest.raises(UndertowError, match="a page has one"):
            threshold_tables.with_block(text, "block")


def test_elsewhere_the_program_says_where_to_start_it(tmp_path: Path):
    words = [sys.executable, "-m", "undertow.diagnosis.threshold_tables"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "no folder docs/rules: start it where docs/ is\n"
