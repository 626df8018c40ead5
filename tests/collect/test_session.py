"""One connection, watched: what is cut when the server is silent, and what is said when it has gone."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.test import override_settings

from dbops.collect.postgres import collect
from dbops.collect.session import ConnectionLostError, LookError, Session
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.snapshot.snapshot import Section
    from tests.servers import Database


class LostInMidStatement:
    """A driver that notices a loss as late as can be: its descriptor's number is another socket's when time is up."""

    def __init__(self) -> None:
        server, client = socket.socketpair()
        server.close()
        self._descriptor = client.detach()
        self.others: tuple[socket.socket, socket.socket] | None = None
        self.description = self.info = None

    @property
    def closed(self) -> bool:
        return self.others is not None

    def fileno(self) -> int:
        return self._descriptor

    def cursor(self) -> LostInMidStatement:
        return self

    def execute(self, *_statement: object) -> None:
        os.close(self._descriptor)
        self.others = socket.socketpair()
        assert self._descriptor in {other.fileno() for other in self.others}
        time.sleep(0.2)
        raise OSError("server closed the connection unexpectedly")

    def close(self) -> None:
        """Only the cursor's: the connection is closed already."""


def test_a_setting_lowers_the_limits_of_our_statements_and_raises_none(database: Database) -> None:
    for timeout_s, limits in ((2, ("2s", "2s")), (20, ("5s", "20s")), (90, ("5s", "1min"))):
        with override_settings(DBOPS={"QUERY_TIMEOUT_S": timeout_s}):
            session = Session(database.connect(), psycopg.Error)
        for asked_ms, limit in zip((None, 60_000), limits, strict=True):
            with session.transaction(statement_timeout_ms=asked_ms):
                assert session.read("SHOW statement_timeout") == [{"statement_timeout": limit}]


def test_a_deadline_never_cuts_a_socket_that_took_over_the_descriptors_number() -> None:
    connection = LostInMidStatement()
    session = Session(connection, OSError, statement_timeout_ms=10, grace_ms=0)
    with pytest.raises(ConnectionLostError):
        session.read("SELECT 1")
    assert connection.others is not None
    one, other = connection.others
    with one, other:
        one.sendall(b"still there")
        assert other.recv(100) == b"still there"


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_connection_that_was_closed_before_is_lost_and_no_crash(database: Database) -> None:
    connection = database.connect()
    connection.close()
    with pytest.raises(ConnectionLostError, match="the connection was lost: the connection is closed"):
        Session(connection, psycopg.Error).read("SELECT 1")


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_all_reads_see_one_moment_and_each_takes_back_what_it_did(database: Database) -> None:
    session = Session(database.connect(), psycopg.Error)
    with session.transaction():
        (before,) = session.read("SELECT pg_current_snapshot()::text AS moment")
        database.execute("CREATE TABLE later (id int)")
        session.read("SET LOCAL lock_timeout = '1h'; SELECT 1 AS one")
        (after,) = session.read("SELECT pg_current_snapshot()::text AS moment")
        assert before == after
        assert session.read("SHOW lock_timeout") == [{"lock_timeout": "100ms"}]


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_the_transaction_has_limits_of_its_own_and_leaves_the_sessions_as_they_were(database: Database) -> None:
    limits = {
        "statement_timeout": "5s",
        "lock_timeout": "100ms",
        "idle_in_transaction_session_timeout": "1min",
        "row_security": "off",
        "jit": "off",
        "transaction_read_only": "on",
    }
    connection = database.connect()
    session = Session(connection, psycopg.Error)
    with session.transaction():
        assert {name: session.read(f"SHOW {name}")[0][name] for name in limits} == limits
    assert [connection.execute(f"SHOW {name}").fetchone() for name in ("statement_timeout", "row_security")] == [
        ("0",),
        ("on",),
    ]


class Unlucky(Session):
    """Fails the first `times` that it reads the constraints: a lock that somebody takes in mid-statement."""

    def __init__(self, connection: psycopg.Connection, *, times: int, sqlstate: str) -> None:
        super().__init__(connection, psycopg.Error)
        self._left = times
        self._sqlstate = sqlstate

    def read(self, sql: str, parameters: Sequence[Any] = (), **options: Any) -> list[Any]:
        if "pg_get_constraintdef" in sql and self._left:
            self._left -= 1
            raise LookError("in the way", sqlstate=self._sqlstate)
        return super().read(sql, parameters, **options)


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
@pytest.mark.parametrize(
    ("times", "sqlstate", "found"),
    [
        (2, "55P03", ()),
        (3, "55P03", Unavailable("constraints: in the way")),
        (1, "42501", Unavailable("constraints: in the way")),
        (1, "57014", ()),
        (2, "57014", Unavailable("constraints: in the way")),
    ],
)
def test_a_lock_met_on_the_way_is_waited_out_and_what_takes_too_long_is_read_in_parts(
    database: Database, times: int, sqlstate: str, found: Section
) -> None:
    session = Unlucky(database.connect(), times=times, sqlstate=sqlstate)
    snapshot = collect(session, alias=None, database="", sections=["constraints"])
    assert snapshot.section("constraints") == found
