"""Look at a test database over a window: at what happened between a snapshot taken earlier and now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dbops.analysis.runner import analyze, select
from dbops.snapshot.activity import with_activity
from dbops.snapshot.deltas import Epoch, epoch_of, statement_epoch_of
from tests.looking import Looked, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from dbops.snapshot.snapshot import Section, Snapshot
    from tests.servers import Database


@dataclass(frozen=True)
class Before:
    """A snapshot as a point of a history; `earlier` moves it back in time, to make the window longer."""

    snapshot: Snapshot
    earlier: timedelta = timedelta()

    @property
    def taken_at(self) -> datetime:
        return self.snapshot.sections["statistics_epoch"][0].observed_at - self.earlier  # type: ignore[index,no-any-return]

    @property
    def epoch(self) -> Epoch | None:
        return epoch_of(self.snapshot.sections)

    @property
    def statement_epoch(self) -> Epoch | None:
        return statement_epoch_of(self.snapshot.sections)

    def load(self, sections: Iterable[str]) -> Mapping[str, Section]:
        return {name: self.snapshot.section(name) for name in sections}


def flush(database: Database) -> None:
    """Have this session's counters written, which every other session does when it becomes idle or ends."""
    database.execute("SELECT pg_stat_force_next_flush()")
    database.execute("SELECT 1")


def look_over(
    database: Database,
    check: str,
    *before: Before,
    role: str | None = None,
    sections: Mapping[str, Any] | None = None,
    **thresholds: Any,
) -> Looked:
    """Run one check on what happened since `before`; `sections` stands in for Django and the history."""
    flush(database)
    snapshot = with_activity(snapshot_of(database, role=role, given=sections), before)
    snapshot = replace(snapshot, sections={**snapshot.sections, **(sections or {})})
    analysis = analyze(snapshot, select(only=[check]), thresholds={check: thresholds})
    (result,) = analysis.results
    return Looked(result, list(analysis.findings))
