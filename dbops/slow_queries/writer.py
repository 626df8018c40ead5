"""Writes what a process has seen of slow queries, in a thread of its own: never in the way of whoever executes them."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import uuid
from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import DatabaseError, InterfaceError, connections, router
from django.utils import timezone

from dbops.models import SlowQueries
from dbops.slow_queries.buffer import Buffer
from dbops.slow_queries.log import is_paused
from dbops.slow_queries.store import store, thin
from dbops.sources import APPLICATION_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

logger = logging.getLogger("dbops.slow_queries")

INTERVAL_S: Final = 60.0
#: How long a process that ends waits for what is still to be written.
_LAST_WORDS_S: Final = 3.0
_THIN_EVERY: Final = timedelta(minutes=10)
_OPTIONS: Final = {"connect_timeout": 5, "tcp_user_timeout": 10_000}


class Writer:
    """Buffers slow executions and writes them every minute, on a connection that is nobody else's and no pool's.

    With them goes, for each of `aliases`, that until then it is all there was. It starts with the first request that a
    process serves, or the first statement that is slow, and never while tests run. Where the tables are missing it says
    so once and keeps nothing.
    """

    def __init__(self, aliases: Sequence[str], threshold_ms: float, *, interval_s: float = INTERVAL_S) -> None:
        self._aliases = aliases
        self._threshold_ms = threshold_ms
        self._interval_s = interval_s
        self._is_off = False
        self.begin_anew()
        os.register_at_fork(after_in_child=self.begin_anew)
        atexit.register(self.end)

    def begin_anew(self) -> None:
        """Forget everything: what a parent has seen it writes itself, and its thread is not in its child."""
        self.buffer = Buffer()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = uuid.uuid4()
        self._began_at: datetime | None = None
        self._thinned_at: datetime | None = None
        self._has_failed = False
        self._is_known = False

    def begin(self) -> None:
        """Note that statements are watched from now on, unless they were before."""
        if self._began_at is None:
            self._began_at = timezone.now()

    def is_own_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def keep(self, alias: str, fingerprint: str, at: datetime, duration_ms: float | None) -> None:
        """Count a slow execution, to be written later."""
        if not self._is_off:
            self.buffer.add(alias, fingerprint, at, duration_ms)
            self.start()

    def start(self, **_signal: object) -> None:
        """Have a thread write every minute; it is the one that there is where it has been started before."""
        if self._thread is not None or self._is_off or is_paused() or _in_tests():
            return
        self.begin()
        with self._lock:
            if self._thread is None:
                # A daemon: a process that ends does not wait for a server that is silent.
                self._thread = threading.Thread(target=self._run, name="dbops-slow-queries", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Have what is left written, and that it is all: as the process ends, and for no longer than a moment."""
        self._stop.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(_LAST_WORDS_S)

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s) and not self._is_off:
            self.flush()
        if self.buffer or self._is_known:
            self.flush(has_ended=True)

    def flush(self, *, has_ended: bool = False) -> None:
        """Write what there is; what cannot be written is kept for the next time, as long as there is room."""
        if self._is_off:
            return
        now, taken = timezone.now(), self.buffer.take()
        try:
            alias = router.db_for_write(SlowQueries)
            _connect_apart(alias)
            try:
                store(
                    taken,
                    process=self._process,
                    aliases=self._aliases,
                    threshold_ms=self._threshold_ms,
                    began_at=self._began_at or now,
                    now=now,
                    has_ended=has_ended,
                )
                self._is_known, self._has_failed = True, False
                if not has_ended and (self._thinned_at is None or now - self._thinned_at >= _THIN_EVERY):
                    self._thinned_at = now
                    thin(now)
            except (DatabaseError, InterfaceError) as error:
                self._is_off = _is_unmigrated(alias)
                self.buffer.put_back(taken, now)
                self._complain(error)
            finally:
                connections[alias].close()
        except Exception:  # whatever it is, the application goes on, and so do we the next time
            logger.exception("slow queries cannot be kept")

    def _complain(self, error: Exception) -> None:
        if self._is_off:
            self.buffer.take()
            logger.warning("slow queries are logged and not kept: manage.py migrate makes the tables for them")
        elif not self._has_failed:
            self._has_failed = True
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            logger.warning("slow queries cannot be kept now, and are as soon as it can be: %s", reason)


def _connect_apart(alias: str) -> None:
    """Give this thread a connection that is not out of the pool, has limits, and says whose it is."""
    shared: Any = connections[alias]
    if getattr(shared, "is_dbops_apart", False):
        return
    settings = deepcopy(shared.settings_dict)
    settings.update(AUTOCOMMIT=True, CONN_MAX_AGE=0)
    if shared.vendor == "postgresql":
        settings["OPTIONS"].pop("pool", None)
        settings["OPTIONS"] = {**_OPTIONS, **settings["OPTIONS"], "application_name": APPLICATION_NAME}
    apart: Any = type(shared)(settings, alias)
    apart.is_dbops_apart = True
    connections[alias] = apart


def _is_unmigrated(alias: str) -> bool:
    """Return whether our tables are missing, as far as it can be seen."""
    connection: Any = connections[alias]
    try:
        return SlowQueries._meta.db_table not in connection.introspection.table_names()
    except (DatabaseError, InterfaceError):
        return False


def _in_tests() -> bool:
    """Return whether Django's test environment is set up: then the database is a test's, and nobody else may write.

    Django has no public word for it.
    """
    state = getattr(sys.modules.get("django.test.utils"), "_TestState", None)
    return hasattr(state, "saved_data")
