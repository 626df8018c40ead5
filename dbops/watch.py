"""Looks that may last, shared by all who ask: a page that anybody may call must not cost a connection per call."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from django.db import connections

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Value = TypeVar("Value")

#: How old an answer may be for whoever does not say.
MAX_AGE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A look has ended: at which second of the monotonic clock, and how long it took."""

    at_s: float
    took_s: float

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.at_s


@dataclass(frozen=True, slots=True)
class Seen(Ended, Generic[Value]):
    """What a look found."""

    value: Value


@dataclass(frozen=True, slots=True)
class Crash(Ended):
    """A look broke on something that it did not expect; threading.excepthook was told what it was."""


class Watch(Generic[Value]):
    """One look at a time, in a thread of its own, however many ask; how it ended is kept for those who come later.

    `look` has its own limits and turns what it may meet into its value. Should it hang all the same, no second one is
    started beside it: those who ask decide how long they wait, and how old an answer may be.
    """

    def __init__(self, look: Callable[[], Value]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._is_looking = False
        self._asked: list[Future[Seen[Value] | Crash]] = []
        self._last: Seen[Value] | Crash | None = None

    @property
    def last(self) -> Seen[Value] | Crash | None:
        """How the last look ended, however long ago; None before the first one has."""
        return self._last

    def ask(self, *, max_age_s: float = MAX_AGE_S) -> Future[Seen[Value] | Crash]:
        """Return how the last look ended where that is younger than `max_age_s`, else how the next one will."""
        asked: Future[Seen[Value] | Crash] = Future()
        with self._lock:
            if self._last is not None and self._last.age_s < max_age_s:
                asked.set_result(self._last)
                return asked
            self._asked.append(asked)
            if not self._is_looking:
                self._is_looking = True
                # A daemon: a process that ends does not wait for a server that is silent.
                threading.Thread(target=self._run, name="dbops-watch", daemon=True).start()
        return asked

    def _run(self) -> None:
        started_s = time.monotonic()
        found: list[Value] = []
        try:
            try:
                found.append(self._look())
            finally:
                connections.close_all()  # what Django opened for this thread
        finally:  # what was not expected goes to threading.excepthook; nobody waits for it
            ended_s = time.monotonic()
            took_s = ended_s - started_s
            last = Seen(ended_s, took_s, found[0]) if found else Crash(ended_s, took_s)
            with self._lock:
                asked, self._asked = self._asked, []
                self._is_looking = False
                self._last = last
            for one in asked:
                if one.set_running_or_notify_cancel():
                    one.set_result(last)


_watches: dict[Hashable, Watch[Any]] = {}


def watch(look: Callable[[str], Value], alias: str) -> Watch[Value]:
    """Return this process's watch of what `look(alias)` sees."""
    return _watches.setdefault((look, alias), Watch(lambda: look(alias)))


# A child of this process has none of its threads: whoever they were to answer would wait for ever.
os.register_at_fork(after_in_child=_watches.clear)
