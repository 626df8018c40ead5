"""What has become of a database's findings between two moments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  part of the public shape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbops.findings.baseline import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The findings that were there at `asked_at`, by a look taken at `taken_at`, and the score then (None for none)."""

    asked_at: datetime
    taken_at: datetime
    score: int | None
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One database at two moments."""

    database: str
    before: Side
    after: Side

    @property
    def new(self) -> tuple[Entry, ...]:
        """What is there after, and was not before; worst first, as all of these."""
        known = {one.fingerprint for one in self.before.entries}
        return _worst_first(one for one in self.after.entries if one.fingerprint not in known)

    @property
    def gone(self) -> tuple[Entry, ...]:
        """What was there before, and is not after."""
        return Change(database=self.database, before=self.after, after=self.before).new

    @property
    def worse(self) -> tuple[tuple[Entry, Entry], ...]:
        """What has become more severe: as it was, and as it is."""
        return tuple(pair for pair in self._pairs() if pair[1].severity.rank > pair[0].severity.rank)

    @property
    def better(self) -> tuple[tuple[Entry, Entry], ...]:
        """What has become less severe: as it was, and as it is."""
        return tuple(pair for pair in self._pairs() if pair[1].severity.rank < pair[0].severity.rank)

    @property
    def same(self) -> tuple[Entry, ...]:
        """What is there as it was."""
        return tuple(after for before, after in self._pairs() if before.severity is after.severity)

    def _pairs(self) -> tuple[tuple[Entry, Entry], ...]:
        before = {one.fingerprint: one for one in self.before.entries}
        after = _worst_first(one for one in self.after.entries if one.fingerprint in before)
        return tuple((before[one.fingerprint], one) for one in after)


def _worst_first(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda one: (-one.severity.rank, one.check, one.target)))
