"""`dbhealth` against what does not answer, or not as it should."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from dbops.management.commands.dbhealth import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.management.conftest import Runner

    Ask = Callable[..., Any]


@pytest.fixture
def ask(dbanalyze: Runner) -> Ask:
    return lambda *arguments: dbanalyze.command(Command(), *arguments)


@contextmanager
def saying(*parts: bytes, pause_s: float = 0) -> Iterator[str]:
    """A server that says `parts` to whoever asks, with a pause before each; gives its address."""

    class Says(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            for part in parts:
                time.sleep(pause_s)
                self.request.sendall(part)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Says) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/ht/"
        server.shutdown()
        serving.join()


def answer(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        ("200 OK", "ok\n", 0),
        ("200 OK", "degraded\ncache: down\n", 0),
        ("503 Service Unavailable", "down\ndatabase: down\n", 1),
    ],
)
def test_what_the_server_says_is_passed_on(ask: Ask, status: str, body: str, code: int) -> None:
    with saying(answer(status, body)) as url:
        ended = ask("--url", url)
    assert (ended.code, ended.out, ended.err) == (code, body, "")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("200 OK", "<!doctype html>"),
        ("301 Moved Permanently", ""),
        ("400 Bad Request", ""),
        ("502 Bad Gateway", "down"),
    ],
)
def test_an_answer_that_is_not_ours_is_no_verdict(ask: Ask, status: str, body: str) -> None:
    with saying(answer(status, body)) as url:
        ended = ask("--url", url)
    assert (ended.code, ended.out) == (2, "")
    assert f"answered {status[:3]}" in ended.err
    assert "HINT" in ended.err


def test_a_server_that_is_not_there_is_unhealthy(ask: Ask) -> None:
    ended = ask("--url", "http://127.0.0.1:1/ht/")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "dbhealth: http://127.0.0.1:1/ht/: connection refused\n"


def test_a_server_that_is_silent_is_unhealthy(ask: Ask) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        ended = ask("--url", f"http://127.0.0.1:{silent.getsockname()[1]}/ht/", "--timeout", "0.2")
    assert (ended.code, ended.out) == (1, "")


def test_a_server_that_drips_is_unhealthy(ask: Ask) -> None:
    with saying(b"HTTP/1.1 200 OK\r\n", *[b"x"] * 20, pause_s=0.1) as url:
        ended = ask("--url", url, "--timeout", "0.4")
    assert (ended.code, "no answer within 0.4 s" in ended.err) == (1, True)


def test_what_speaks_another_language_is_unhealthy(ask: Ask) -> None:
    with saying(b"SSH-2.0-OpenSSH\r\n") as url:
        ended = ask("--url", url)
    assert (ended.code, "not an answer of HTTP" in ended.err) == (1, True)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8000",
        "ftp://shop/ht/",
        "http://",
        "http://shop:port/ht/",
        "http://shop..de/ht/",
        f"http://{'x' * 64}.de/ht/",
        "http://shop/hé/",
    ],
)
def test_what_is_no_address_is_refused(ask: Ask, url: str) -> None:
    ended = ask("--url", url)
    assert (ended.code, "is not an address of HTTP" in ended.err) == (2, True)


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf"])
def test_what_is_no_time_to_wait_is_refused(ask: Ask, timeout: str) -> None:
    ended = ask("--timeout", timeout)
    assert (ended.code, "is no time to wait" in ended.err) == (2, True)


def test_live_and_ready_exclude_each_other(ask: Ask) -> None:
    assert ask("--live", "--ready").code == 2
