"""Who may ask: this machine's own browser, or one that brings the token; never another page."""

from __future__ import annotations

import secrets
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

COOKIE = "undertow_token"
HOMES = ("127.0.0.1", "localhost", "::1")
CLOSED = b"Closed: open the address that undertow printed, with its token."
STRANGE = b"Closed: this server answers to 127.0.0.1 and localhost only."


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(24)


class AccessGuard:
    """An ASGI application that lets requests through to `app`, or not.

    Without a token the name in the request must be this machine's: a page elsewhere that gives its
    own name the address 127.0.0.1 is turned away. With one, the first request brings it in the
    address, and a cookie keeps it from there on. A request that another page's script makes says
    so in its Origin, and is turned away in either case.
    """

    def __init__(self, app: Any, token: str | None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        host, origin = headers.get("host", ""), headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            await _turn_away(scope, send, STRANGE)
        elif self.token is None:
            if urlsplit(f"//{host}").hostname in HOMES:
                await self.app(scope, receive, send)
            else:
                await _turn_away(scope, send, STRANGE)
        elif _same(_cookie(headers), self.token):
            await self.app(scope, receive, send)
        elif scope["type"] == "http" and _same(_query(scope).get("token", ""), self.token):
            await self._welcome(scope, send)
        else:
            await _turn_away(scope, send, CLOSED)

    async def _welcome(self, scope: Any, send: Any) -> None:
        """Keep the token in a cookie, and take it out of the address."""
        rest = urlencode([(k, v) for k, v in _query(scope).items() if k != "token"])
        there = scope["path"].encode("ascii", "ignore") + (b"?" + rest.encode() if rest else b"")
        cookie = f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Strict".encode()
        # Not `//elsewhere`, which a browser would take for another machine's name.
        there = b"/" + there.lstrip(b"/\\")
        await _answer(send, 303, b"", [(b"location", there), (b"set-cookie", cookie)])


def _query(scope: Any) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))


def _cookie(headers: dict[str, str]) -> str:
    found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    return found.value if found else ""


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())


async def _turn_away(scope: Any, send: Any, said: bytes) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4403})
    else:
        await _answer(send, 403, said, [(b"content-type", b"text/plain; charset=utf-8")])


async def _answer(send: Any, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
