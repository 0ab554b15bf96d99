"""`undertow app` and `undertow lesson`: pages in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from undertow.app.cli.options import DEFAULT_STORE, StoreOption

HostOption = Annotated[
    str, typer.Option(help="Address to serve on; other than this machine's own needs a token.")
]
PortOption = Annotated[int, typer.Option(help="Port to serve on; 0 takes a free one.")]
DataOption = Annotated[
    str | None, typer.Option(metavar="DIR", help="Folder of data sets, for the experiments.")
]
QuietOption = Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")]


def app(
    host: HostOption = "127.0.0.1",
    port: PortOption = 2718,
    store: StoreOption = DEFAULT_STORE,
    data: DataOption = None,
    no_browser: QuietOption = False,
) -> None:
    """Serve the playground, the runs of a store, the experiments and the lessons.

    It ends at Ctrl-C.
    """
    from undertow.app.pages.kit.request import PageContext
    from undertow.app.server import server

    server.serve_pages(host, port, PageContext(store, data), browser=not no_browser)


def lesson(
    number: Annotated[int, typer.Argument(metavar="N", help="1 to 6.")],
    host: HostOption = "127.0.0.1",
    port: PortOption = 2719,
    no_browser: QuietOption = False,
) -> None:
    """Open one of the six lessons.

    1 why sigmoid stacks go silent, 2 depth and the product of gains, 3 initialisation and the edge
    of chaos, 4 the seven remedies, 5 batch normalisation, cure and cause, 6 reading your own model.
    It ends at Ctrl-C.
    """
    from undertow.app.pages.kit.request import PageContext
    from undertow.app.server import server

    context = PageContext(DEFAULT_STORE)
    server.serve_lesson(number, host, port, context, browser=not no_browser)
