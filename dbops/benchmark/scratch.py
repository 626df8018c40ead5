"""A database of our own: made, filled, marked as ours, and dropped again whatever happens meanwhile."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dbops.errors import DbopsError
from dbops.snapshot.names import quote_ident
from dbops.sources import connect_dsn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dbops.benchmark.server import Server

#: What is written on the database: an unfinished one is never measured, somebody else's never touched.
_UNFINISHED: Final = "dbops dbbench: being filled"
_FINISHED: Final = "dbops dbbench: filled"
#: Any number, the same in all runs: PostgreSQL's advisory locks have no names.
_LOCK: Final = 7_206_317_001
_NO_RIGHT: Final = "42501"


class BenchmarkError(DbopsError):
    """the benchmark cannot be run"""


class BenchmarkBusyError(DbopsError):
    """another benchmark is at work on this server"""


@dataclass(frozen=True, slots=True)
class Scratch:
    """The scratch database `name` on `server`."""

    server: Server
    name: str

    def is_filled(self) -> bool:
        """Return whether an earlier run has kept it.

        Raises:
            BenchmarkError: a database of that name is not ours.
        """
        with connect_dsn(self.server.dsn()) as (connection, _):
            return self._mark(connection) == _FINISHED

    @contextmanager
    def filled(self, statements: Iterable[str], *, keep: bool) -> Iterator[None]:
        """Have the database, made by `statements` unless an earlier run has kept it, and drop it afterwards.

        With `keep` a filled one stays. Nothing else is left behind, however the block ends.

        Raises:
            BenchmarkError: it cannot be made.
            BenchmarkBusyError: another run is at it.
        """
        with connect_dsn(self.server.dsn()) as (connection, error):
            if not _value(connection, f"SELECT pg_try_advisory_lock({_LOCK})"):
                message = f"another benchmark is at work on {self.server.name}"
                raise BenchmarkBusyError(message, hint="wait until it has ended")
            is_filled = self._mark(connection) == _FINISHED
            try:
                if not is_filled:
                    with self._said(error):
                        self._fill(connection, statements)
                    is_filled = True
                yield
            finally:
                if not (keep and is_filled):
                    with _undisturbed():
                        self._drop()

    def _fill(self, connection: Any, statements: Iterable[str]) -> None:
        name = quote_ident(self.name)
        _run(connection, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name} TEMPLATE template0")
        _run(connection, f"COMMENT ON DATABASE {name} IS '{_UNFINISHED}'")
        with connect_dsn(self.server.dsn(self.name)) as (filling, _):
            _run(filling, "SET synchronous_commit = off; SET statement_timeout = 0", *statements)
        _run(connection, f"COMMENT ON DATABASE {name} IS '{_FINISHED}'")

    def _mark(self, connection: Any) -> str | None:
        """Return what is written on the database, None when there is none of that name."""
        name = self.name.replace("'", "''")
        found = _rows(
            connection, f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{name}'"
        )
        if not found:
            return None
        ((mark,),) = found
        if mark not in {_FINISHED, _UNFINISHED}:
            message = f"there is a database {self.name} on {self.server.name} that no benchmark has made"
            raise BenchmarkError(
                message, hint=f"look at it, then  DROP DATABASE {quote_ident(self.name)};  or choose another size"
            )
        return str(mark)

    def _drop(self) -> None:
        # A connection of its own: an interruption may have cost us the other one.
        with connect_dsn(self.server.dsn()) as (connection, _):
            _run(connection, f"DROP DATABASE IF EXISTS {quote_ident(self.name)} WITH (FORCE)")

    @contextmanager
    def _said(self, error_class: type[Exception]) -> Iterator[None]:
        """Say in our words what the server refuses."""
        try:
            yield
        except error_class as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            message = f"the database {self.name} cannot be made on {self.server.name}: {reason}"
            state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
            role = quote_ident(self.server.keywords.get("user", "its_role"))
            hint = f"ALTER ROLE {role} CREATEDB;  as a superuser" if state == _NO_RIGHT else None
            raise BenchmarkError(message, hint=hint) from error


def counted(statements: Iterable[tuple[int, str]], report: Callable[[int], None]) -> Iterator[str]:
    """Iterate over statements that come with how much is done before each, and report that."""
    for done, statement in statements:
        report(done)
        yield statement


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no further Ctrl-C break off what cleans up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run(connection: Any, *statements: str) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()


def _rows(connection: Any, sql: str) -> list[Any]:
    cursor = connection.cursor()
    cursor.execute(sql)
    found = list(cursor.fetchall())
    cursor.close()
    return found


def _value(connection: Any, sql: str) -> Any:
    ((value,),) = _rows(connection, sql)
    return value
