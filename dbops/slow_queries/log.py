"""The slow-query log: an execute wrapper on Django's connections that says which statements took long."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import OrderedDict
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from django.apps import apps
from django.utils import timezone

from dbops.snapshot.statement_text import OWN, fingerprint, redacted, without_repetition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

logger = logging.getLogger("dbops.slow_query")

#: How often a minute the same statement is logged by one process.
PER_MINUTE: Final = 10
#: How many statements are told apart for that.
_MOST_STATEMENTS: Final = 1_000
#: How much of a text is shortened, read and shown: somebody waits meanwhile.
_MOST_SHORTENED: Final = 200_000
_MOST_READ: Final = 20_000
_MOST_SHOWN: Final = 2_000
_MINUTE_S: Final = 60.0

_state = threading.local()
_pauses = 0


class Keeps(Protocol):
    """Somebody who keeps how long slow statements took; None for one that is not known of each execution."""

    def __call__(self, alias: str, fingerprint: str, at: datetime, duration_ms: float | None) -> None: ...


@contextmanager
def unwatched() -> Iterator[None]:
    """Log nothing that this process executes meanwhile: it is one of our own commands."""
    global _pauses  # noqa: PLW0603  a process has one log
    _pauses += 1
    try:
        yield
    finally:
        _pauses -= 1


def is_paused() -> bool:
    """Return whether nothing is logged in this process now."""
    return _pauses > 0


class SlowQueryLog:
    """A wrapper for `connection.execute_wrappers`, one for all connections and threads.

    What is measured is how long the driver's execute() or executemany() took: sending the statement, its execution and,
    but for a server-side cursor, receiving its rows. `keep` is told of those that the server counts as well.
    """

    def __init__(self, threshold_ms: float, keep: Keeps | None = None) -> None:
        self.threshold_ms = threshold_ms
        self._threshold_s = threshold_ms / 1000
        self._keep = keep
        self._limit = Limit()

    def __call__(
        self, execute: Callable[..., Any], statement: Any, parameters: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        began = time.perf_counter()
        try:
            result = execute(statement, parameters, many, context)
        except BaseException as error:
            duration_s = time.perf_counter() - began
            if duration_s >= self._threshold_s:
                self._log(duration_s, statement, many, context, error)
            raise
        duration_s = time.perf_counter() - began
        if duration_s >= self._threshold_s:
            self._log(duration_s, statement, many, context, None)
        return result

    def begin_anew(self) -> None:
        """Forget what was logged: a child of the process begins with nothing, and with locks that nobody holds."""
        self._limit = Limit()

    def _log(
        self, duration_s: float, statement: Any, many: bool, context: dict[str, Any], error: BaseException | None
    ) -> None:
        if is_paused() or getattr(_state, "is_logging", False):
            return  # a handler of this very log may write to the database
        whole = _text_of(statement, context["cursor"])
        text = without_repetition(whole[:_MOST_SHORTENED])[:_MOST_READ]
        if whole.endswith(OWN) or _own_tables().search(text):
            return
        found, alias = fingerprint(text), context["connection"].alias
        # The server counts no execution that failed, and a cursor's under another statement.
        if self._keep is not None and error is None and not _is_server_side(context["cursor"]):
            self._keep(alias, found, timezone.now(), None if many else duration_s * 1000)
        left_out = self._limit.admit(f"{alias} {found}", time.monotonic())
        if left_out is None:
            return
        shown = redacted(text, is_normalised=False)
        shown = shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"
        rows = -1 if error is not None else getattr(context["cursor"], "rowcount", -1)
        sqlstate = _sqlstate(error)
        how = "" if error is None else f" failed with {sqlstate or type(error).__name__} after"
        before = f" ({left_out} more like it were not logged)" if left_out else ""
        _state.is_logging = True
        try:
            logger.warning(
                "%s%s %.1f ms: %s%s",
                alias,
                how,
                duration_s * 1000,
                shown,
                before,
                extra={
                    "alias": alias,
                    "duration_ms": round(duration_s * 1000, 1),
                    "statement": shown,
                    "fingerprint": found,
                    "rows": rows if rows >= 0 else None,
                    "many": many,
                    "sqlstate": sqlstate,
                    "left_out": left_out,
                },
            )
        finally:
            _state.is_logging = False


class Limit:
    """Lets so many through a minute of what is the same, and counts the others."""

    def __init__(self, per_minute: int = PER_MINUTE) -> None:
        self._per_minute = per_minute
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def admit(self, key: str, now_s: float) -> int | None:
        """Return how many were left out since the last that was let through; None where this one is to be."""
        with self._lock:
            seen = self._seen.get(key)
            if seen is None:
                while len(self._seen) >= _MOST_STATEMENTS:
                    self._seen.popitem(last=False)
                seen = self._seen[key] = _Seen(now_s)
            self._seen.move_to_end(key)
            if now_s - seen.since_s >= _MINUTE_S:
                seen.since_s, seen.admitted = now_s, 0
            if seen.admitted >= self._per_minute:
                seen.left_out += 1
                return None
            left_out, seen.left_out = seen.left_out, 0
            seen.admitted += 1
            return left_out


class _Seen:
    """How often a statement was logged since a moment, and how often it was not."""

    __slots__ = ("admitted", "left_out", "since_s")

    def __init__(self, since_s: float) -> None:
        self.since_s = since_s
        self.admitted = 0
        self.left_out = 0


@cache
def _own_tables() -> re.Pattern[str]:
    """Return what finds the tables in which we keep things in a statement."""
    names = "|".join(re.escape(model._meta.db_table) for model in apps.get_app_config("dbops").get_models())
    return re.compile(f'"(?:{names})"')


def _text_of(statement: Any, cursor: Any) -> str:
    """Return the text of a statement, which may be an object of the driver's `sql` module."""
    if isinstance(statement, str):
        return statement
    if isinstance(statement, bytes):
        return statement.decode(errors="replace")
    return str(statement.as_string(cursor.cursor)) if hasattr(statement, "as_string") else str(statement)


def _is_server_side(cursor: Any) -> bool:
    return getattr(cursor, "name", None) is not None


def _sqlstate(error: BaseException | None) -> str | None:
    for one in (error, error.__cause__ if error else None):
        found = getattr(one, "sqlstate", None) or getattr(one, "pgcode", None)
        if found:
            return str(found)
    return None
