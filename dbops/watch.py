"""Looks that may last, shared by all who ask: a page that anybody may call must not cost a connection per call."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.db import connections

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Seen(Generic[Value]):
    """What a look found, at which second of the monotonic clock, how long it took, and how long it is to be kept."""

    value: Value
    at_s: float
    took_s: float
    kept_s: float

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.at_s

    @property
    def is_fresh(self) -> bool:
        return self.age_s < self.kept_s


class Watch(Generic[Value]):
    """One look at a time, in a thread of its own, however many ask; what it found is kept for a while.

    `look` has its own limits and turns what it may meet into its value. Should it hang all the same, no second one is
    started beside it: those who ask decide how long they wait. `keep` says of a value, and of how long it took, for
    how many seconds it is fresh.
    """

    def __init__(self, look: Callable[[], Value], keep: Callable[[Value, float], float]) -> None:
        self._look = look
        self._keep = keep
        self._lock = threading.Lock()
        self._is_looking = False
        self._asked: list[Future[Seen[Value] | None]] = []
        self._last: Seen[Value] | None = None

    @property
    def last(self) -> Seen[Value] | None:
        """What the last look found, however old; None before the first one has ended."""
        return self._last

    def ask(self) -> Future[Seen[Value] | None]:
        """Return what is fresh or will be found next; None when the look broke on something that it did not expect."""
        asked: Future[Seen[Value] | None] = Future()
        with self._lock:
            if self._last is not None and self._last.is_fresh:
                asked.set_result(self._last)
                return asked
            self._asked.append(asked)
            if not self._is_looking:
                self._is_looking = True
                # A daemon: a process that ends does not wait for a server that is silent.
                threading.Thread(target=self._run, name="dbops-watch", daemon=True).start()
        return asked

    def _run(self) -> None:
        seen: Seen[Value] | None = None
        started_s = time.monotonic()
        try:
            try:
                value = self._look()
            finally:
                connections.close_all()  # what Django opened for this thread
            ended_s = time.monotonic()
            took_s = ended_s - started_s
            seen = Seen(value, ended_s, took_s, self._keep(value, took_s))
        finally:  # what was not expected goes to threading.excepthook; nobody waits for it
            with self._lock:
                asked, self._asked = self._asked, []
                self._is_looking = False
                self._last = self._last if seen is None else seen
            for one in asked:
                if one.set_running_or_notify_cancel():
                    one.set_result(seen)


_watches: dict[Hashable, Watch[Any]] = {}


def watch(
    look: Callable[[str], Value], alias: str, *, keep: Callable[[Value, float], float] = lambda _value, _took_s: 1.0
) -> Watch[Value]:
    """Return this process's watch of what `look(alias)` sees."""
    return _watches.setdefault((look, alias), Watch(lambda: look(alias), keep))


# A child of this process has none of its threads: whoever they were to answer would wait for ever.
os.register_at_fork(after_in_child=_watches.clear)
