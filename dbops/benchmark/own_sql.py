"""The statements of a look as they are sent, to be run once more in psql: what they cost without dbops."""

from __future__ import annotations

import shutil
import subprocess
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dbops.benchmark.scratch import BenchmarkError
from dbops.collect.postgres import READ_HERE, collect
from dbops.collect.session import Session
from dbops.conf import config
from dbops.diagnose import checks_by_dsn, sections_of
from dbops.sources import connect_dsn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dbops.benchmark.server import Server


class RecordedSession(Session):
    """A session that remembers what it sends, as SQL that psql can run."""

    def __init__(self, connection: Any, error: type[Exception]) -> None:
        super().__init__(connection, error)
        self.sent: list[str] = []

    def _fetch(self, sql: str, parameters: Sequence[Any] = (), names: list[str] | None = None) -> list[Any]:
        self.sent.append(_spelled_out(self._connection, sql, parameters) if parameters else sql)
        return super()._fetch(sql, parameters, names)


def recorded_look(dsn: str) -> list[str]:
    """Look once at the database of `dsn`; return every statement that was sent, in order."""
    sections = sections_of(checks_by_dsn(config())) & frozenset(READ_HERE)
    with connect_dsn(dsn) as (connection, error):
        session = RecordedSession(connection, error)
        collect(session, alias=None, database="", sections=sections)
        return session.sent


def write_script(path: Path, statements: Sequence[str]) -> None:
    """Write `statements` as a script for psql."""
    path.write_text("".join(f"{statement}\n;\n" for statement in statements), encoding="utf-8")


def find_psql() -> str:
    """Return psql's path.

    Raises:
        BenchmarkError: there is none.
    """
    found = shutil.which("psql")
    if found is None:
        message = "there is no psql on PATH to compare with"
        raise BenchmarkError(message, hint="apt-get install postgresql-client")
    return found


def run_in_psql(program: str, script: Path, server: Server, database: str, environment: dict[str, str]) -> float:
    """Run `script` in one psql, its output thrown away; return how long it took, in seconds.

    A statement that fails in a look fails here too, and the script goes on as the look does.
    """
    command = (
        program,
        "--no-psqlrc",
        "--quiet",
        "--no-align",
        "--tuples-only",
        "--output=/dev/null",
        f"--file={script}",
    )
    started = time.perf_counter()
    ended = subprocess.run(  # noqa: S603  no shell
        command,
        env={**environment, **server.environment(database)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    elapsed_s = time.perf_counter() - started
    if ended.returncode != 0:
        reason = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        message = f"psql cannot run our statements: {reason}"
        raise BenchmarkError(message)
    return elapsed_s


def _spelled_out(connection: Any, sql: str, parameters: Sequence[Any]) -> str:
    """Return `sql` with its parameters in their places, by whichever driver there is."""
    cursor = connection.cursor()
    if not hasattr(cursor, "mogrify"):
        cursor = import_module("psycopg").ClientCursor(connection)
    spelled = cursor.mogrify(sql, tuple(parameters))
    return spelled.decode() if isinstance(spelled, bytes) else str(spelled)
