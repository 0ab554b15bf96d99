"""The report of runs of the store, made when its address is asked for: `/report?run=ID&run=ID`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from shlex import join
from typing import Any

from undertow.app.pages.kit.request import PageContext
from undertow.errors import RunMissing, UndertowError, needs


async def answer(request: Any, context: PageContext) -> Any:
    """Answer a request for a report, or say in one line why there is none."""
    responses = needs("starlette.responses", "app")
    concurrency = needs("starlette.concurrency", "app")
    names = request.query_params.getlist("run")
    try:
        made = await concurrency.run_in_threadpool(page, names, context.store)
    except UndertowError as error:
        return responses.PlainTextResponse(f"{error}\n", status_code=404)
    return responses.HTMLResponse(made)


def page(names: list[str], store: str) -> str:
    """Return the report as HTML.

    Raises
    ------
    UndertowError
        As `undertow report`.
    """
    from undertow.verbs.report import report

    if not names:
        raise RunMissing("no run named: the address ends in  ?run=  and a run or an experiment")
    typed = join(["undertow", "report", *names, "-o", "report.html", "--store", store])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        report(names, str(path), png=False, store=store, command=typed)
        return path.read_text(encoding="utf-8")
