"""What the browser tests look for: complaints, requests, and what axe-core finds."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


class Served(NamedTuple):
    """A running `undertow app`: its address, its process, and where its store is to be."""

    address: str
    process: subprocess.Popen[str]
    store: Path


class Seen:
    """What a page complained of, and what it asked for beyond the server."""

    def __init__(self, page: Page, allowed: tuple[str, ...]) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self._heard(said.type, said.text))
        page.on("request", lambda request: self._asked(request.url, allowed))

    def _heard(self, kind: str, text: str) -> None:
        if kind == "error":
            self.errors.append(text)

    def _asked(self, url: str, allowed: tuple[str, ...]) -> None:
        if not url.startswith((*allowed, "data:", "blob:")):
            self.requests.append(url)


def serious(page: Page, within: str | None = None) -> list[str]:
    """Return what axe-core finds serious or worse, as lines to print."""
    found = Axe().run(page, context=within)
    return [
        f"{each['impact']} {each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
