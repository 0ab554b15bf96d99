"""The page at `/`: what there is, as links."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from undertow.app.pages.playground import url
from undertow.app.server import lessons
from undertow.errors import needs
from undertow.experiments.presets import PRESETS


async def answer(_request: Any) -> Any:
    """Answer a request for `/`."""
    return needs("starlette.responses", "app").HTMLResponse(page())


def page() -> str:
    """Return the page as HTML."""
    jinja2 = needs("jinja2", "show")
    source = files("undertow.app.server").joinpath("home.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    there = lessons.all_of_them()
    return environment.from_string(source).render(
        style=files("undertow.app.pages.kit").joinpath("style.css").read_text(encoding="utf-8"),
        presets=[(preset, "playground/" + url.write_url(preset.trial)) for preset in PRESETS],
        lessons=[(number, title) for number, title in lessons.TITLES.items() if number in there],
    )
