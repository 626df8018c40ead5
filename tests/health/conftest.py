"""Servers that stand, fall silent and go, and the project itself served by gunicorn."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psutil
import pytest
from django.core.cache import caches
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

from dbops import watch
from dbops.embedded.postgres import Cluster
from dbops.embedded.valkey import Valkey, find_valkey
from dbops.health.probe import Probe, Status, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import DjangoDbBlocker

    from tests.servers import Server

PROJECT = Path(__file__).parents[2]
TOKEN = "a-token-that-nobody-guesses"
#: What a page may take: the contract, and what a busy machine adds to it.
CONTRACT_S = 3.0


def judged(probe: Probe) -> tuple[Status | None, str | None]:
    """What a check says, and why."""
    error = asyncio.run(probe.get_result()).error
    return status_of(error), None if error is None else error.message


@pytest.fixture(autouse=True)
def _nothing_seen_before() -> Iterator[None]:
    watch._watches.clear()
    yield
    watch._watches.clear()


class MakeDefault(Protocol):
    """Point DATABASES["default"] at a DSN, for threads and wrappers that are made from now on."""

    def __call__(self, dsn: str, **options: Any) -> None: ...


@pytest.fixture
def make_default(monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker) -> Iterator[MakeDefault]:
    wrappers = []

    def make(dsn: str, **options: Any) -> None:
        found = conninfo_to_dict(dsn)
        where: dict[str, Any] = {
            "NAME": found.get("dbname"),
            "HOST": found.get("host", ""),
            "USER": found.get("user", ""),
        }
        where |= {"PORT": str(found.get("port", "")), "PASSWORD": "", "OPTIONS": options, "CONN_MAX_AGE": 0}
        monkeypatch.setitem(connections.settings, "default", {**connections.settings["default"], **where})
        before = connections["default"]
        del connections["default"]
        monkeypatch.setattr(type(before), "_connection_pools", {})
        wrappers.append((before, connections["default"]))

    with django_db_blocker.unblock():
        yield make
    for before, made in reversed(wrappers):
        made.close()
        if made.pool:  # type: ignore[attr-defined]  # a PostgreSQL's
            made.pool.close()  # type: ignore[attr-defined]
        connections["default"] = before


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def cluster(server: Server, place: Path) -> Iterator[Cluster]:
    """A PostgreSQL of the test's own, to be stopped and frozen."""
    made = Cluster(place / "data", place / "socket", {"synchronous_commit": "off"})
    made.ensure_started(lambda _: [server.binaries])
    yield made
    made.stop()


@dataclass(frozen=True)
class Redis:
    valkey: Valkey

    @property
    def url(self) -> str:
        return f"unix://{self.valkey.socket_path}?db=1"

    @property
    def process(self) -> psutil.Process:
        with closing(socket.socket(socket.AF_UNIX)) as client:
            client.connect(str(self.valkey.socket_path))
            client.sendall(b"INFO server\r\n")
            said = client.recv(65536).decode()
        return psutil.Process(int(said.partition("process_id:")[2].split()[0]))


@pytest.fixture
def redis(place: Path) -> Iterator[Redis]:
    program = find_valkey()
    if program is None:
        pytest.skip("no valkey-server or redis-server")
    valkey = Valkey(place / "redis")
    valkey.ensure_started(program)
    yield Redis(valkey)
    valkey.stop()


@pytest.fixture
def make_cache(settings: Any) -> Iterator[Any]:
    """Put a backend behind CACHES["default"]."""

    def make(backend: str, location: object = "", **options: object) -> None:
        settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": location, "OPTIONS": options}}

    yield make
    caches.close_all()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass(frozen=True)
class Site:
    """The project, served by gunicorn."""

    port: int
    process: subprocess.Popen[bytes]

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read().decode())


class Serve(Protocol):
    def __call__(self, dsn: str, *, redis_url: str, **environment: str) -> Site: ...


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start the project in a process of its own, as it runs in production but for TLS; it ends with the test."""
    with ExitStack() as ends:

        def start(dsn: str, *, redis_url: str, **environment: str) -> Site:
            found = conninfo_to_dict(dsn)
            url = f"postgresql:///{found['dbname']}?" + "&".join(
                f"{name}={value}" for name, value in found.items() if name != "dbname"
            )
            given = {
                "PATH": os.environ["PATH"],
                "HOME": os.environ.get("HOME", "/"),
                "PYTHONDONTWRITEBYTECODE": "1",
                "DEBUG": "0",
                "SECRET_KEY": "kP4x9-Zq7Lr2Vt8Wm3Ns6Hb1Jc5Fd0Gy_TuEiOaBvXnRwQzYlMs",
                "ALLOWED_HOSTS": "127.0.0.1",
                "SECURE_SSL_REDIRECT": "0",
                "DATABASE_URL": url,
                "REDIS_URL": redis_url,
                "LOG_LEVEL": "ERROR",
                **environment,
            }
            door = ends.enter_context(socket.create_server(("127.0.0.1", 0), backlog=256))
            argv = (sys.executable, "-m", "gunicorn", "config.wsgi", "--worker-class", "gthread", "--no-control-socket")
            process = subprocess.Popen(
                (*argv, "--threads", "16", "--bind", f"fd://{door.fileno()}", "--log-level", "warning"),
                cwd=PROJECT,
                env=given,
                pass_fds=[door.fileno()],
            )
            ends.callback(process.wait, 60)
            ends.callback(process.terminate)
            site = Site(door.getsockname()[1], process)
            assert site.get("/ht/live/").status == 200  # which waits until it serves
            return site

        yield start
