"""`undertow app` as an installed program: addresses, ports, tokens, endings."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("undertow")


@pytest.fixture
def start():
    running = []

    def start_(*options):
        command = [PROGRAM, "app", "--no-browser", *options]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield start_
    for process in running:
        process.kill()
        process.communicate()


def address(process):
    line = process.stderr.readline()
    assert line.startswith("undertow: http://"), line
    return line.split()[1]


def get(url):
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_it_answers_at_its_root_and_at_each_page_and_ends_at_ctrl_c(start):
    process = start("--port", "0")
    here = address(process)
    assert here.startswith("http://127.0.0.1:")
    status, page = get(here)
    assert status == 200
    for name in (
        "playground",
        "runs",
        "experiments",
        *(f"lessons/{number}" for number in range(1, 7)),
    ):
        assert f'href="{name}/"' in page
        assert get(f"{here}{name}/")[0] == 200
        assert get(f"{here}{name}")[0] == 200  # by a redirect
    assert get(f"{here}nowhere")[0] == 404
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    assert "Traceback" not in process.stderr.read()


def test_a_port_in_use_is_one_line(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start("--port", str(port))
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said == (
        f"undertow: cannot serve on 127.0.0.1:{port}: address already in use. "
        "Type  undertow app --port 0  for a free port\n"
    )


@pytest.mark.parametrize("options", [("--port", "99999"), ("--host", "192.0.2.7", "--port", "0")])
def test_an_address_that_cannot_be_is_one_line(start, options):
    process = start(*options)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said.startswith("undertow: cannot serve on ")
    assert said.count("\n") == 1


def test_elsewhere_a_token_is_needed(start):
    process = start("--host", "0.0.0.0", "--port", "0")
    here = address(process)
    root, token = here.split("?token=")
    local = root.replace("0.0.0.0", "127.0.0.1")
    assert len(token) >= 32
    assert get(local)[0] == 403
    assert get(f"{local}playground/?token=wrong")[0] == 403
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(f"{local}?token={token}") as answer:
        assert (answer.status, answer.url) == (200, local)
    with opener.open(f"{local}playground/") as answer:
        assert answer.status == 200
