"""What VACUUM, ANALYZE and REINDEX have to do in a database, one by one, and what came of it when they were run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from dbops.findings.fix import Fix
    from dbops.snapshot.bloat import Bloat
    from dbops.snapshot.vacuum_rows import HorizonHolder


@dataclass(frozen=True, slots=True)
class Gauge:
    """How many changes there are, and above how many autovacuum comes; None where it never comes for such."""

    changes: int
    trigger: int | None

    @property
    def is_due(self) -> bool:
        """Whether there are more than the trigger."""
        return self.trigger is not None and self.changes > self.trigger

    @property
    def fill(self) -> float | None:
        """How full of the trigger it is: 1.0 is full."""
        return None if self.trigger is None else self.changes / max(self.trigger, 1)


@dataclass(frozen=True, slots=True)
class Tuning:
    """A change of a table's autovacuum options: the check that advises it, why, and the fix."""

    check: str
    why: str
    fix: Fix


@dataclass(frozen=True, slots=True)
class TableBloat:
    """How bloated a table, or its TOAST table, is; a text says why that is not known. `is_much`: the check says so."""

    bloat: Bloat | str
    is_toast: bool
    is_much: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAdvice:
    """One table that holds rows, or a partitioned one as a whole (`is_whole`), which can only be analyzed.

    `root` is the topmost table of a partition. `toast` are the dead rows of its TOAST table. `hindrance` is what keeps
    autovacuum from it, `held_by` what was there before the last vacuum and kept it from removing rows. `obstacle` says
    why this role may not do it. `bloat` is empty where nobody asked for it, or the table is too small to matter.
    """

    oid: int
    name: str
    root: str | None = None
    is_whole: bool = False
    rows: int | None
    size_bytes: int | None = None
    dead: Gauge
    toast: Gauge | None = None
    inserts: Gauge
    changes: Gauge
    vacuumed_at: datetime | None = None
    autovacuumed_at: datetime | None = None
    analyzed_at: datetime | None = None
    autoanalyzed_at: datetime | None = None
    is_vacuumed_now: bool = False
    hindrance: str | None = None
    held_by: HorizonHolder | None = None
    needs_vacuum: bool = False
    needs_analyze: bool = False
    statement: str | None = None
    obstacle: str | None = None
    tunings: tuple[Tuning, ...] = ()
    bloat: tuple[TableBloat, ...] = ()

    @property
    def dead_ratio(self) -> float | None:
        """The dead rows' part of all rows of the table; None where there are no rows."""
        rows = self.rows or 0
        return self.dead.changes / (self.dead.changes + rows) if self.dead.changes + rows else None

    @property
    def action(self) -> str | None:
        """What to do, in words; None for nothing."""
        words = [word for word, is_due in (("VACUUM", self.needs_vacuum), ("ANALYZE", self.needs_analyze)) if is_due]
        return " and ".join(words) or None


class Cause(StrEnum):
    """What is wrong with an index."""

    BLOATED = "bloated"
    INVALID = "invalid"
    LEFTOVER = "leftover"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAdvice:
    """One index that is to be built anew, or that a rebuild left behind and is to be dropped.

    `why` is the check's word on it. `obstacle` says why it is not done without being told to in person: the statement
    is for whoever does. `caution` says what it costs.
    """

    oid: int
    name: str
    table: str
    table_oid: int
    cause: Cause
    why: str
    size_bytes: int | None = None
    bloat: Bloat | None = None
    statement: str
    caution: str | None = None
    obstacle: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VacuumPlan:
    """What there is to do in one database, worst first.

    `tables` are those that are shown, `quiet_count` how many others have nothing to do. `indexes` are those that are
    bloated (where that was looked for: `has_bloat`), invalid or left behind; they are worked at when `is_reindexing`.
    `holders` keep dead rows of this database from being removed; `unseen` says what could not be looked at.
    """

    alias: str | None
    database: str
    server_version: str
    taken_at: datetime
    tables: tuple[TableAdvice, ...]
    quiet_count: int = 0
    indexes: tuple[IndexAdvice, ...] = ()
    has_bloat: bool = False
    is_reindexing: bool = False
    holders: tuple[HorizonHolder, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What to call the database."""
        return self.database if self.alias in {None, self.database} else f"{self.alias} ({self.database})"

    @property
    def due(self) -> tuple[TableAdvice, ...]:
        """The tables that something is to be run for."""
        return tuple(table for table in self.tables if table.statement is not None)

    @property
    def rebuilds(self) -> tuple[IndexAdvice, ...]:
        """The indexes that something is to be run for, what is left behind first: it makes room."""
        if not self.is_reindexing:
            return ()
        return tuple(sorted(self.indexes, key=lambda index: index.cause is not Cause.LEFTOVER))

    @property
    def work(self) -> tuple[TableAdvice | IndexAdvice, ...]:
        """All that is to be run, in its order."""
        return (*self.due, *self.rebuilds)


class Outcome(StrEnum):
    """How it went with a statement: only `done` is all that was wanted.

    `held`: dead rows had to stay. `unproved`: it ran, and what it should have achieved is not there, or was not seen.
    `left`: it was not begun, as the time for all was over. `interrupted`: somebody pressed Ctrl-C.
    """

    DONE = "done"
    HELD = "held"
    UNPROVED = "unproved"
    LOCKED = "locked"
    TIMEOUT = "timeout"
    LEFT = "left"
    DENIED = "denied"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Treated:
    """What came of one statement, and why not all went well.

    Of a table, dead rows (the TOAST table's too) before and after; of an index, its bytes on disk. `leftover` is the
    statement that takes away what an interrupted rebuild left behind.
    """

    name: str
    statement: str
    outcome: Outcome
    dead_before: int | None = None
    dead_after: int | None = None
    size_before: int | None = None
    size_after: int | None = None
    duration_s: float = 0.0
    reason: str | None = None
    hint: str | None = None
    leftover: str | None = None
