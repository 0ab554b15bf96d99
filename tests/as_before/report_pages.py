"""A report as a document: the words and data of each section, without what draws them."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

from tests.as_before.differing import digest, digests

FIRST = 6  # lines of a section that are kept as words, so that a difference can be read
_FIGURE = re.compile(
    r'<script type="application/json" data-for="([^"]+)">(.*?)</script>', re.DOTALL
)
_SCRIPT = re.compile(r"<script.*?</script>", re.DOTALL)
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
_SECTION = re.compile(r'<section id="([^"]+)".*?</section>', re.DOTALL)
_VERSION = re.compile(r"vega-lite/v[\d.]+\.json")  # in the schema's address, as Altair writes it


def described(page: str) -> dict[str, Any]:
    """Describe a page: each figure's data and shape, each section's words.

    The scripts that draw are of Vega's makers and go with the version installed; that they are
    there, and that the page may run no others, is told by how many there are.
    """
    figures = {name: figure(json.loads(text)) for name, text in _FIGURE.findall(page)}
    scripts = len(_SCRIPT.findall(page)) - len(figures)
    style = _STYLE.findall(page)
    bare = _STYLE.sub("", _SCRIPT.sub("", page))
    bare = re.sub(r"'sha256-[^']*'", "'sha256-...'", bare)
    sections = {found.group(1): words(found.group()) for found in _SECTION.finditer(bare)}
    return {
        "scripts": scripts,
        "style": digest("".join(style).encode()),
        "html": digest(bare.encode()),
        "sections": sections,
        "whole": words(bare),
        "figures": figures,
    }


def figure(specification: dict[str, Any]) -> dict[str, Any]:
    """Describe a figure by its specification for Vega-Lite."""
    text = _VERSION.sub("vega-lite/v.json", json.dumps(specification))
    plain = json.loads(text)
    sets = plain.get("datasets", {})
    return {
        "rows": sorted(len(rows) for rows in sets.values()),
        "columns": sorted({str(key) for rows in sets.values() for row in rows for key in row}),
        "data": digests(sorted(sets.values(), key=lambda rows: json.dumps(rows, sort_keys=True))),
        "drawn": digests(_nameless(plain, list(sets))),
    }


def words(html: str) -> dict[str, Any]:
    """Describe a part of a page by its text: how many lines, a digest, and the first of them."""
    text = unescape(re.sub(r"<[^>]*>", " ", html))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    lines = [line for line in lines if line]
    return {
        "lines": len(lines),
        "sha256": digest("\n".join(lines).encode()),
        "first": [line[:200] for line in lines[:FIRST]],
    }


def _nameless(value: Any, names: list[str]) -> Any:
    """Return a specification without its data, whose names are digests of their numbers."""
    if isinstance(value, dict):
        return {key: _nameless(part, names) for key, part in value.items() if key != "datasets"}
    if isinstance(value, list):
        return [_nameless(part, names) for part in value]
    return f"data {names.index(value)}" if value in names else value
