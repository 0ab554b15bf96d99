"""The pages as one server: which address answers with what, and who may ask.

`/` is a plain page of links; each page is a marimo notebook behind an address of its own.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import webbrowser
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from undertow.app.pages.experiments import train_process
from undertow.app.pages.kit.request import PageContext
from undertow.app.pages.kit.widgets import PAGES
from undertow.app.server import home, lessons, reports
from undertow.app.server.access import AccessGuard, new_token
from undertow.errors import AddressError, needs

PAGES_FOLDER = Path(str(files("undertow.app.pages")))


def serve_pages(host: str, port: int, context: PageContext, *, browser: bool) -> None:
    """Serve the pages and the lessons until Ctrl-C.

    Raises
    ------
    AddressError
        The port is in use, or the host is not this machine's.
    """
    _serve(application(host, context), host, port, "", browser=browser)


def serve_lesson(number: int, host: str, port: int, context: PageContext, *, browser: bool) -> None:
    """Serve the pages as well, and open a lesson."""
    lessons.find(number)
    _serve(application(host, context), host, port, f"lessons/{number}/", browser=browser)


def application(host: str, context: PageContext) -> AccessGuard:
    """Return the pages as an ASGI application that lets in whom it should.

    >>> application("127.0.0.1", PageContext("undertow.db")).token is None
    True
    """
    marimo = needs("marimo", "app")
    applications = needs("starlette.applications", "app")
    routing = needs("starlette.routing", "app")
    builder = marimo.create_asgi_app(quiet=True, html_head=_head())
    roots = {f"/{name}": PAGES_FOLDER / name / "notebook.py" for name in PAGES}
    roots |= {f"/lessons/{number}": path for number, path in lessons.all_of_them().items()}
    routes = [
        routing.Route("/", home.answer),
        routing.Route("/report", partial(reports.answer, context=context)),
    ]
    for path, root in roots.items():
        builder = builder.with_app(path=path, root=str(root))
        # marimo's own redirect is relative, and leads from /lessons/1 to /lessons/lessons/1/.
        routes.append(routing.Route(path, _with_slash))
    routes.append(routing.Mount("/", _telling(builder.build(), context)))
    here = host in ("127.0.0.1", "localhost", "::1")
    return AccessGuard(applications.Starlette(routes=routes), None if here else new_token())


def _telling(app: Any, context: PageContext) -> Any:
    """Tell every page, in its request, what it is to know; marimo hands `meta` over."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "meta": context._asdict()}, receive, send)

    return answer


async def _with_slash(request: Any) -> Any:
    responses = needs("starlette.responses", "app")
    return responses.RedirectResponse(f"{request.url.path}/", status_code=301)


def _serve(door: AccessGuard, host: str, port: int, page: str, *, browser: bool) -> None:
    uvicorn = needs("uvicorn", "app")
    with _listening(host, port) as listener:
        taken = listener.getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{taken}/{page}" + (f"?token={door.token}" if door.token else "")
        print(f"undertow: {address}  (Ctrl-C ends it)", file=sys.stderr, flush=True)
        if browser:
            # The socket listens already: what the browser asks for waits until it is answered.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        config = uvicorn.Config(
            door,
            log_level="error",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,  # an open page would hold the server for ever
        )
        try:
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            train_process.stop_all()
            # Threads of pages that are still open would hold the process.
            sys.stderr.flush()
            os._exit(0)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        said = str(getattr(error, "strerror", None) or error).lower()
        raise AddressError(
            f"cannot serve on {host}:{port}: {said}. Type  undertow app --port 0  for a free port"
        ) from None
    listener.listen(128)
    return listener


def _head() -> str:
    style, *scripts = (
        (PAGES_FOLDER / "kit" / name).read_text(encoding="utf-8")
        for name in ("style.css", "keys.js", "tables.js")
    )
    return (
        '<meta name="referrer" content="no-referrer">'
        + f"<style>{style}</style>"
        + "".join(f"<script>{script}</script>" for script in scripts)
    )
