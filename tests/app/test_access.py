"""Who is let in: this machine, or who brings the token; never a page from elsewhere."""

from __future__ import annotations

import asyncio

import pytest

from undertow.app.server.access import COOKIE, AccessGuard, new_token


async def inside(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


def knock(door, headers, query="", kind="http", path="/runs/"):
    sent = []
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "headers": encoded, "query_string": query.encode(), "path": path}

    async def send(message):
        sent.append(message)

    asyncio.run(door(scope, None, send))
    return sent


def status(sent):
    return sent[0].get("status", sent[0].get("code"))


HOME = {"host": "127.0.0.1:2718"}


@pytest.mark.parametrize("host", ["127.0.0.1:2718", "localhost:2718", "localhost", "[::1]:2718"])
def test_this_machine_is_let_in(host):
    assert status(knock(AccessGuard(inside, None), {"host": host})) == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "0.0.0.0"])
def test_a_name_that_is_not_this_machines_is_turned_away(host):
    assert status(knock(AccessGuard(inside, None), {"host": host})) == 403


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_another_pages_script_is_turned_away(kind):
    headers = HOME | {"origin": "http://evil.example"}
    assert status(knock(AccessGuard(inside, None), headers, kind=kind)) in (403, 4403)


def test_the_pages_own_script_is_let_in():
    assert (
        status(knock(AccessGuard(inside, None), HOME | {"origin": "http://127.0.0.1:2718"})) == 200
    )


@pytest.mark.parametrize("host", ["10.0.0.5:2718", "127.0.0.1:2718"])
def test_without_the_token_nobody_is_let_in(host):
    door = AccessGuard(inside, "secret")
    for query, cookie in (("", ""), ("token=wrong", ""), ("", f"{COOKIE}=wrong"), ("token=", "")):
        sent = knock(door, {"host": host, "cookie": cookie}, query)
        assert status(sent) == 403
        assert b"token" in sent[1]["body"]
    assert status(knock(door, {"host": host}, "token=secret", kind="websocket")) == 4403


def test_the_token_becomes_a_cookie_and_leaves_the_address():
    door = AccessGuard(inside, "secret")
    sent = knock(door, {"host": "10.0.0.5:2718"}, "depth=3&token=secret", path="/playground/")
    headers = dict(sent[0]["headers"])
    assert status(sent) == 303
    assert headers[b"location"] == b"/playground/?depth=3"
    assert b"HttpOnly" in headers[b"set-cookie"]
    cookie = headers[b"set-cookie"].decode().split(";")[0]
    assert status(knock(door, {"host": "10.0.0.5:2718", "cookie": cookie})) == 200


def test_the_token_leads_to_no_other_machine():
    sent = knock(AccessGuard(inside, "s"), {"host": "10.0.0.5"}, "token=s", path="//evil.example/")
    assert dict(sent[0]["headers"])[b"location"] == b"/evil.example/"


def test_tokens_differ_and_are_long():
    assert len({new_token() for _ in range(20)}) == 20
    assert len(new_token()) >= 32
