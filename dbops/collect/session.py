"""A read-only look through one DB-API connection: one transaction, time limits, a savepoint around each read."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from dbops.collect.row_making import as_tuple, row_maker
from dbops.conf import query_timeout_ms
from dbops.errors import DbopsError
from dbops.snapshot.statement_text import OWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: How long the server may work on one of our statements, and wait for a lock, in milliseconds.
STATEMENT_TIMEOUT_MS: Final = 5_000
LOCK_TIMEOUT_MS: Final = 100
#: How much longer than the server's own limit we wait for its answer: a frozen server enforces no limit.
GRACE_MS: Final = 3_000


class Connection(Protocol):
    """A DB-API connection in autocommit mode, as psycopg 3 and psycopg2 both have it."""

    @property
    def closed(self) -> Any: ...
    @property
    def info(self) -> Any: ...
    def cursor(self) -> Any: ...
    def fileno(self) -> int: ...


class LookError(DbopsError):
    """a statement failed"""

    def __init__(self, message: str, *, sqlstate: str | None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class ConnectionLostError(DbopsError):
    """the connection was lost"""


class Session:
    """Reads through `connection`, whose driver raises `error` (psycopg.Error or psycopg2.Error).

    The connection must be in autocommit mode and nobody else's, also afterwards: its client encoding may have changed.
    No statement may take longer than DBOPS["QUERY_TIMEOUT_S"], whatever limit is asked for.
    """

    def __init__(
        self,
        connection: Connection,
        error: type[Exception],
        *,
        statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
        grace_ms: int = GRACE_MS,
    ) -> None:
        self._connection = connection
        self._error = error
        self._most_ms = query_timeout_ms()
        self._statement_timeout_ms = self._capped(statement_timeout_ms)
        self._grace_ms = grace_ms
        self._limit(self._statement_timeout_ms)
        self._recode = False
        self._gave_up = False

    @property
    def announced_pid(self) -> int:
        """The server process that the other side named when the connection was made; a pooler makes one up."""
        pid: int = self._connection.info.backend_pid
        return pid

    def ping(self) -> None:
        """Have the server answer one statement, outside any transaction: one round trip, under one deadline.

        Raises:
            ConnectionLostError: the server went away, or stopped answering.
            LookError: the server refused.
        """
        self._fetch("SELECT 1")

    @contextmanager
    def transaction(
        self, *, statement_timeout_ms: int | None = None, end: Literal["COMMIT", "ROLLBACK"] = "COMMIT"
    ) -> Iterator[None]:
        """Hold one REPEATABLE READ READ ONLY transaction that never waits long, and that leaves nothing.

        `statement_timeout_ms` takes the place of the session's, for this transaction. All that is read in it has been
        rolled back to the savepoint when it ends. To `end` it by a ROLLBACK would count among those of the application,
        of which the server keeps a number only.

        Raises:
            ConnectionLostError: the server went away, or stopped answering.
            LookError: the server refused.
        """
        timeout_ms = self._capped(statement_timeout_ms or self._statement_timeout_ms)
        self._limit(timeout_ms)
        encoding = self._fetch("SHOW server_encoding")[0][0]
        if encoding in {"SQL_ASCII", b"SQL_ASCII"}:
            # No conversion is possible there, and a byte that is not UTF-8 would fail the whole statement.
            self._take_bytes_as_latin1()
        self._fetch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        is_done = False
        try:
            self._fetch(f"SET LOCAL statement_timeout = {timeout_ms}")
            self._fetch(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
            self._fetch("SET LOCAL idle_in_transaction_session_timeout = 60000")
            self._fetch("SET LOCAL row_security = off")
            self._fetch("SET LOCAL jit = off")
            self._fetch("SAVEPOINT look")
            yield
            is_done = True
        finally:
            if not self._connection.closed:
                self._fetch(end if is_done else "ROLLBACK")

    def hide_schemas(self) -> None:
        """Empty the search path: names are printed in full, and nothing can shadow the catalogue's own."""
        self._fetch("RELEASE SAVEPOINT look")
        self._fetch("SET LOCAL search_path = ''")
        self._fetch("SAVEPOINT look")

    def read(self, sql: str, parameters: Sequence[Any] = (), *, row: type[Any] | None = None) -> list[Any]:
        """Return the rows of `sql`, as `row` or by column name; the locks it took are given back at once.

        Raises:
            ConnectionLostError: the server went away, or stopped answering.
            LookError: the statement failed; the transaction can go on.
        """
        names: list[str] = []
        try:
            found = self._fetch(sql, parameters, names)
        except LookError:
            self._fetch("ROLLBACK TO SAVEPOINT look")
            raise
        self._fetch("ROLLBACK TO SAVEPOINT look")  # which stays, for the next read
        if self._recode:
            found = [tuple(map(_recoded, values)) for values in found]
        if row is not None:
            return list(map(row_maker(row, names), found))
        return [dict(zip(names, map(as_tuple, values), strict=True)) for values in found]

    def _capped(self, timeout_ms: int) -> int:
        return min(timeout_ms, self._most_ms)

    def _limit(self, statement_timeout_ms: int) -> None:
        self._deadline_s = (statement_timeout_ms + self._grace_ms) / 1000

    def _take_bytes_as_latin1(self) -> None:
        set_encoding = getattr(self._connection, "set_client_encoding", None)
        if set_encoding is None:
            self._fetch("SET client_encoding TO 'LATIN1'")
        else:  # psycopg2, which does not notice what SET does
            with self._talk():
                set_encoding("LATIN1")
        self._recode = True

    def _fetch(self, sql: str, parameters: Sequence[Any] = (), names: list[str] | None = None) -> list[Any]:
        with self._talk(), closing(self._connection.cursor()) as cursor:
            cursor.execute(self._encode(f"{sql}\n{OWN}"), tuple(parameters) or None)
            if cursor.description is None:
                return []
            if names is not None:
                names += [column[0] for column in cursor.description]
            return list(cursor.fetchall())

    @contextmanager
    def _talk(self) -> Iterator[None]:
        """Say what the driver raises in our own words, and wait no longer for the server than we allow."""
        try:
            with self._deadline():
                yield
        except self._error as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> DbopsError:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        if self._connection.closed:
            reason = f"the server did not answer within {self._deadline_s:g} s" if self._gave_up else lines[0]
            return ConnectionLostError(f"the connection was lost: {reason}")
        sqlstate = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        return LookError(lines[0], sqlstate=sqlstate)

    @contextmanager
    def _deadline(self) -> Iterator[None]:
        """Cut the connection when the server does not answer in time: only that ends a wait for a frozen one.

        The timer has a descriptor of its own, closed when the timer can no longer use it: the driver may close the
        connection's at any moment, and its number may be somebody else's by then.
        """
        with socket.socket(fileno=os.dup(self._connection.fileno())) as own:
            timer = threading.Timer(self._deadline_s, self._hang_up, [own])
            timer.daemon = True
            timer.start()
            try:
                yield
            finally:
                timer.cancel()
                timer.join()

    def _hang_up(self, connection: socket.socket) -> None:
        self._gave_up = True
        with suppress(OSError):  # the other side was faster
            connection.shutdown(socket.SHUT_RDWR)

    def _encode(self, sql: str) -> str:
        return sql.encode().decode("latin-1") if self._recode else sql


def _recoded(value: Any) -> Any:
    """Return a text that came as LATIN1 as the UTF-8 that it mostly is, and a list with such texts."""
    if isinstance(value, list):
        return list(map(_recoded, value))
    return value.encode("latin-1").decode(errors="backslashreplace") if isinstance(value, str) else value
