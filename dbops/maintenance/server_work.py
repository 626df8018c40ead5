"""Statements that last, on a connection of their own: limited, watched, and stopped on the server by Ctrl-C."""

from __future__ import annotations

import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dbops.collect.session import ConnectionLostError, LookError
from dbops.snapshot.statement_text import OWN

if TYPE_CHECKING:
    from collections.abc import Callable

#: How often the one who waits is told that it goes on, in seconds.
_EVERY_S: Final = 0.5
#: How much longer than the server's own limit its answer is waited for: a frozen server enforces none.
_GRACE_S: Final = 60.0
#: How long a statement that was cancelled may take to end.
_ENDING_S: Final = 10.0
#: What the role or the database may have set, and would end long work, by the version that has it first.
_UNLIMITED: Final = {"idle_session_timeout": 14, "transaction_timeout": 17}


@dataclass(slots=True)
class ServerWork:
    """Runs statements on `connection`, which is in autocommit mode and nobody else's; `error` is its driver's."""

    connection: Any
    error: type[Exception]

    @property
    def is_open(self) -> bool:
        """Whether the connection is still there."""
        return not self.connection.closed

    @property
    def pid(self) -> int:
        """The server's process."""
        pid: int = self.connection.info.backend_pid
        return pid

    def prepare(self, major: int) -> None:
        """Take away the limits that would end a long statement; each gets its own."""
        for name, first in _UNLIMITED.items():
            if major >= first:
                self.execute(f"SET {name} = 0")

    def execute(self, sql: str) -> list[Any]:
        """Run a short statement and return its rows.

        Raises:
            ConnectionLostError: the server went away.
            LookError: the statement failed.
        """
        try:
            return self._fetch(sql)
        except self.error as error:
            raise self._translated(error) from error

    def run(self, sql: str, *, limit_s: float, lock_s: float, told: Callable[[], None] | None = None) -> None:
        """Run a statement that may last `limit_s` at most, and wait `lock_s` for a lock; 0 is without end.

        `told` is called now and then meanwhile. KeyboardInterrupt has the server stop the statement first.

        Raises:
            ConnectionLostError: the server went away, or does not stop what it should.
            LookError: the statement failed.
        """
        self.execute(f"SET lock_timeout = {round(lock_s * 1000)}")
        self.execute(f"SET statement_timeout = {max(round(limit_s * 1000), 1) if limit_s else 0}")
        failures: list[Exception] = []
        ended = threading.Event()
        # A thread: the driver of this one may not return to Python, and so to Ctrl-C, before the server answers.
        thread = threading.Thread(target=self._work, args=(sql, failures, ended), name="dbops-work", daemon=True)
        ends_at = time.monotonic() + limit_s + _GRACE_S if limit_s else None
        thread.start()
        try:
            while not ended.wait(_EVERY_S) and thread.is_alive():
                if ends_at is not None and time.monotonic() > ends_at:
                    self._give_up(ended)
                elif told is not None:
                    told()
        except KeyboardInterrupt:
            self._cancel()
            ended.wait(_ENDING_S)
            raise
        if failures:
            raise self._translated(failures[0]) from failures[0]
        if not ended.is_set():  # the thread died of a defect, which threading.excepthook has told
            message = f"running {sql.splitlines()[0]} crashed: this is a defect of dbops"
            raise ConnectionLostError(message)

    def _work(self, sql: str, failures: list[Exception], ended: threading.Event) -> None:
        try:
            self._fetch(sql)
        except self.error as error:
            failures.append(error)
        ended.set()

    def _fetch(self, sql: str) -> list[Any]:
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(f"{sql}\n{OWN}")
            return list(cursor.fetchall()) if cursor.description else []

    def _cancel(self) -> None:
        cancel = getattr(self.connection, "cancel_safe", self.connection.cancel)
        with suppress(self.error):  # the statement, or the connection, has ended by itself
            cancel()

    def _give_up(self, ended: threading.Event) -> None:
        self._cancel()
        if not ended.wait(_ENDING_S):
            self.connection.close()
            message = "the connection was lost: the server did not answer in time"
            raise ConnectionLostError(message)

    def _translated(self, error: Exception) -> ConnectionLostError | LookError:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        if self.connection.closed:
            return ConnectionLostError(f"the connection was lost: {lines[0]}")
        sqlstate = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        return LookError(lines[0], sqlstate=sqlstate)
