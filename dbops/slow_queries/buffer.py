"""Slow executions of this process that are not written yet: counted, so that they need little room."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from dbops.slow_queries.durations import Durations

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How many are counted at most: statements by minute. It is some hundred bytes for each.
MOST: Final = 5_000

#: The alias, the minute and the fingerprint.
Key = tuple[str, datetime, str]


@dataclass(slots=True)
class Taken:
    """What was in the buffer. `dropped` executions found no room, the last of them at `dropped_at`."""

    durations: Mapping[Key, Durations]
    dropped: int = 0
    dropped_at: datetime | None = None


@dataclass(slots=True)
class Buffer:
    """Counts executions by alias, minute and statement, for whoever takes them away; for many threads at once."""

    most: int = MOST
    _durations: dict[Key, Durations] = field(default_factory=dict)
    _dropped: int = 0
    _dropped_at: datetime | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, alias: str, fingerprint: str, at: datetime, duration_ms: float | None) -> None:
        key = (alias, at.replace(second=0, microsecond=0), fingerprint)
        with self._lock:
            durations = self._room(key, at, 1)
            if durations is not None:
                durations.add(duration_ms)

    def take(self) -> Taken:
        """Return all there is, and forget it."""
        with self._lock:
            taken = Taken(self._durations, self._dropped, self._dropped_at)
            self._durations, self._dropped, self._dropped_at = {}, 0, None
        return taken

    def put_back(self, taken: Taken, at: datetime) -> None:
        """Count again what could not be written, as far as there is room by now."""
        with self._lock:
            self._dropped += taken.dropped
            self._dropped_at = max(filter(None, (self._dropped_at, taken.dropped_at)), default=None)
            for key, durations in taken.durations.items():
                room = self._room(key, at, durations.count)
                if room is not None:
                    room.merge(durations)

    def __bool__(self) -> bool:
        return bool(self._durations or self._dropped)

    def _room(self, key: Key, at: datetime, count: int) -> Durations | None:
        found = self._durations.get(key)
        if found is None:
            if len(self._durations) >= self.most:
                self._dropped += count
                self._dropped_at = at
                return None
            found = self._durations[key] = Durations()
        return found
