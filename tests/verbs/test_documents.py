"""What the commands print as JSON is what their types declare, key by key; so is docs/json.md."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ConfigDict, TypeAdapter, ValidationError

from tests.as_before.commands import heard
from tests.as_before.kept import copied, run_ids
from undertow.verbs.documents import DOCUMENTS
from undertow.verbs.json_reference import keys, reference

PAGE = Path(__file__).resolve().parents[2] / "docs" / "json.md"

# A store, and what is typed beside it: every verb, and of each the documents that differ most.
TYPED = [
    ("torch", "run moons --arm sigmoid --arm relu --replicates 6 --epochs 2 --engine torch"),
    ("lanes", "run moons --replicates 2 --epochs 1 --engine lanes"),
    ("", "predict --depth 4"),
    ("", "predict --depth 4 --normalisation batch"),
    ("", "predict --depth 300 --activation sigmoid"),
    ("", "critical tanh"),
    ("", "critical relu"),
    ("", "critical softplus"),
    ("torch", "explain @sigmoid"),
    ("lanes", "diagnose @sigmoid"),
    ("lanes", "diagnose @tanh"),
    ("watched", "diagnose @broken"),
    ("torch", "watch --run @sigmoid"),
    ("watched", "watch --run @broken"),
    ("watched", "watch --run @healthy"),
    ("interrupted", "watch --run @tanh"),
    ("atlas", "atlas relu --networks 1"),
    ("watched", "runs"),
    ("interrupted", "runs"),
    ("", "list"),
]


def faults(document: Any, type_: Any) -> list[str]:
    """Name the keys of a document that its type does not have, lacks, or has otherwise."""
    # In a tuple, for a dict's type by itself takes no settings.
    adapter = TypeAdapter(tuple[type_], config=ConfigDict(strict=True, extra="forbid"))
    try:
        adapter.validate_json(json.dumps([document]))
    except ValidationError as error:
        return [f"{'.'.join(map(str, each['loc'][1:]))}: {each['type']}" for each in error.errors()]
    return []


def printed(store: str, words: str, folder: Path) -> Any:
    typed = words.split()
    if store:
        path = copied(store, folder)
        ids = run_ids(path)
        typed = [ids[word[1:]] if word.startswith("@") else word for word in typed]
        typed += ["--store", path.name]
    status, out, said = heard([*typed, "--json"], folder)
    assert status in (0, 1, 3), said
    return json.loads(out)


@pytest.mark.parametrize(("store", "words"), TYPED)
def test_a_command_prints_what_its_type_declares(store: str, words: str, tmp_path: Path):
    document = printed(store, words, tmp_path)
    assert faults(document, DOCUMENTS[words.split()[0]]) == []


def test_every_document_is_printed_here():
    assert {words.split()[0] for _, words in TYPED} == set(DOCUMENTS)


def test_every_key_is_said_in_words():
    said = [key for each in DOCUMENTS.values() for key in keys_of(each)]
    assert len(said) > 100
    assert [key.path for key in said if not key.meaning.strip()] == []


def keys_of(document: Any) -> list[Any]:
    parts = getattr(document, "__args__", (document,))
    return [key for part in parts for key in keys(part)]


def test_the_page_is_made_from_the_types():
    assert PAGE.read_text(encoding="utf-8") == reference(), "type  make docs"


def lacks(document: dict[str, Any]) -> None:
    del document["root_cause"]


def has_more(document: dict[str, Any]) -> None:
    document["rules"][0]["new"] = 1


def is_other(document: dict[str, Any]) -> None:
    document["outcome"] = "well"


def is_text(document: dict[str, Any]) -> None:
    document["findings"][0]["share"] = "all"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lacks, "root_cause: missing"),
        (has_more, "rules.0.new: extra_forbidden"),
        (is_other, "outcome: literal_error"),
        (is_text, "findings.0.share: float_type"),
    ],
)
def test_the_check_can_fail(tmp_path: Path, change: Callable[[Any], None], fault: str):
    document = printed("lanes", "diagnose @sigmoid", tmp_path)
    assert faults(document, DOCUMENTS["diagnose"]) == []
    other = copy.deepcopy(document)
    change(other)
    (found,) = faults(other, DOCUMENTS["diagnose"])
    assert found.startswith(fault)
