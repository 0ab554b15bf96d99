"""What the server tells its pages: which store, which data."""

from __future__ import annotations

from typing import Any, NamedTuple


class PageContext(NamedTuple):
    """The store of runs, and the folder of data sets if one was named."""

    store: str
    data: str | None = None


def page_context(mo: Any) -> PageContext:
    """Return what the server told the page that is open, in its request."""
    request = mo.app_meta().request
    return PageContext(**request.meta) if request and request.meta else PageContext("undertow.db")


def query_words(mo: Any) -> dict[str, str]:
    """Return the words of the address that the page was opened at."""
    request = mo.app_meta().request
    words = dict(request.query_params) if request else {}
    return {word: value if isinstance(value, str) else value[-1] for word, value in words.items()}
