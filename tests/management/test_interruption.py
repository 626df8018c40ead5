"""Ctrl-C and a server that has frozen in the middle of a look."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo

from dbops.management.interruption import ended_by_ctrl_c

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Database

PROJECT = Path(__file__).parents[2]
#: What a connection and the first statements take, of the bytes that a server sends for one look.
FROZEN_AFTER_BYTES = 2_000


class FreezingServer:
    """The server of a socket behind a port, which after some bytes of its first session never says a word again."""

    def __init__(self, path: Path, ends: ExitStack) -> None:
        self.is_frozen = threading.Event()
        self._path, self._ends = path, ends
        self._door = ends.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port: int = self._door.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        client = self._ends.enter_context(self._door.accept()[0])
        server = self._ends.enter_context(socket.socket(socket.AF_UNIX))
        server.connect(str(self._path))
        threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
        sent_bytes = 0
        while sent_bytes < FROZEN_AFTER_BYTES and (part := server.recv(4096)):
            sent_bytes += len(part)
            client.sendall(part)
        self.is_frozen.set()

    @staticmethod
    def _pass_on(client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):  # one of them has gone
            while part := client.recv(4096):
                server.sendall(part)


@contextmanager
def freezing(database: Database) -> Iterator[FreezingServer]:
    with ExitStack() as ends:
        yield FreezingServer(database.server.cluster.endpoint.socket_path, ends)


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_frozen_server_keeps_nobody_waiting(database: Database) -> None:
    with freezing(database) as server:
        dsn = make_conninfo("", host="127.0.0.1", port=server.port, user="postgres", dbname=database.name)
        with subprocess.Popen(
            (sys.executable, "manage.py", "dbanalyze", "--dsn", dsn),
            cwd=PROJECT,
            env={**os.environ, "DEBUG": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            assert server.is_frozen.wait(30)
            time.sleep(0.2)  # it waits for an answer by now
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=30)

    assert (running.returncode, out, err) == (2, "", "dbanalyze: interrupted\n")


def wait_on_regardless() -> None:
    """As psycopg does for the server's answer to its cancelling: awake now and then, and for long."""
    with suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    for _ in range(300):
        time.sleep(0.1)


def test_what_goes_on_waiting_is_interrupted_once_more() -> None:
    with pytest.raises(KeyboardInterrupt), ended_by_ctrl_c():
        wait_on_regardless()
