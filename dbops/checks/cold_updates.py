"""A table whose updates are mostly not HOT, so that each of them writes to every index.

An update writes a new version of the row. Where no indexed column changes and the page has room for it, the new
version goes beside the old one and no index is touched (HOT: heap-only tuple); what is left of the old one goes by
itself when the page is read next. Otherwise every index of the table gets an entry, also those whose columns did not
change, and VACUUM has to take the old entries out of all of them. The finding says which of the two it was.

Room: new pages are filled to the brim, so the first versions that come later have to go elsewhere. From PostgreSQL 16
on the server counts the updates that did. Before, it is concluded from pg_stat_statements: a statement that sets
no indexed column is not HOT for that reason only.

Index: a column that most updates set is in an index that has to stay, as it is unique, upholds a constraint or has a
foreign key looked up by it; or in several that each block less than half of the updates. An index that could be given
up is hot_blocking_index's, which names it instead of this check, unless it is the room that lacks.

How to fix:

Where it is the room, ALTER TABLE … SET (fillfactor = 90) leaves a tenth of each page to the versions to come. It holds
for pages that are filled from then on; those that are full gain room as their rows move, or at once where the table is
rewritten (VACUUM FULL, which locks it, or pg_repack). Where it is an index that has to stay, only other updates help:
leave the column out (save(update_fields=[…])) where it has not changed, or keep what changes in a table of its own.

Not reported: tables with fewer than 10,000 updates in the window, or half of them HOT; a window of less than an hour,
which may be that of one job; updates that found no room, where they are no more than the table has pages: each of these
has room from the first one on that left it, as after a load. A smaller fillfactor is not advised where the updates set
an indexed column too, where statements change more rows at once than it would leave room for, and where it is small
already: then old versions are kept by a long transaction (held_horizon), or one transaction changes the same rows again
and again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.snapshot.amounts import format_count, listed
from dbops.snapshot.autovacuum import options_of
from dbops.snapshot.hot_blockers import HotBlockers
from dbops.snapshot.index_window import IndexWindow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.activity_rows import StatementActivity, TableActivity, Window
    from dbops.snapshot.rows import Index, Server, Table
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.storage_rows import RelationPages

TAG = Tag.LIVE

#: What a fillfactor is where nobody said anything.
_FULL: Final = 100
#: What is advised where many rows share a page, and at the least.
_ROOMY: Final = 90
_LEAST: Final = 50
#: So many new versions should find room on a page.
_VERSIONS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Updates:
    """The updates of a table in a window, and what is known of those that were not HOT.

    `roomless` is how many of these found no room on their page (where it was not counted, how many at the least), and
    `is_counted` whether the server counted them. `blocked` are the updates that set a column of one of `indexes`,
    `clear` those that set none, `bulk` those by statements that change more rows at once than a smaller fillfactor
    would leave room for. `total` is what these three are a part of.
    """

    table: Table
    updates: int
    cold: int
    roomless: int
    is_counted: bool
    total: int
    blocked: int
    clear: int
    bulk: int
    indexes: tuple[Index, ...]
    columns: tuple[str, ...]

    @property
    def is_clear(self) -> bool:
        """Whether it is known of most that they set no indexed column."""
        return 2 * self.clear >= self.total

    @property
    def no_room(self) -> str:
        ratio = self.roomless / self.cold
        return f"{'' if self.is_counted else 'at least '}{ratio:.0%} of the others found no room on their page"

    @property
    def set_indexed(self) -> str:
        names = listed([index.qualified_name for index in self.indexes])
        return f"{self.blocked / self.total:.0%} of all set {listed(list(self.columns))}, of {names}"


def check(
    schema: Schema,
    server: tuple[Server, ...],
    window: tuple[Window, ...],
    table_activity: tuple[TableActivity, ...],
    statement_activity: tuple[StatementActivity, ...] | None = None,
    relation_pages: tuple[RelationPages, ...] | None = None,
    *,
    least_updates: int = 10_000,  # fewer say nothing and cost little
    hot_ratio: float = 0.5,  # with so many HOT ones the table is well
    newpage_ratio: float = 0.5,  # of the others: from there on it is the room on the pages that lacks
    change_ratio: float = 0.5,  # of the updates have to set an indexed column
    all_columns_ratio: float = 0.8,  # a statement that sets so many of the columns sets them whether they change or not
    many_updates: int = 1_000_000,  # from so many on that are not HOT it is a warning
    short_window_h: float = 1.0,  # some minutes may be those of a job
) -> Iterator[Finding | Unseen]:
    if any(row.updates is None for row in table_activity):
        yield Unseen("all tables", "updates are counted on the primary alone: look there")
        return
    if window[0].hours < short_window_h:
        yield Unseen("all tables", f"counted for less than {short_window_h:g} h, which may be those of one job")
        return
    activity, rooms = IndexWindow(schema, table_activity), _Rooms(schema, relation_pages or ())
    blockers = HotBlockers(schema, statement_activity or (), major=server[0].major, all_columns_ratio=all_columns_ratio)
    for table in schema.roots():
        updates, cold = activity.total(table, "updates"), activity.cold_updates(table)
        if not updates or cold is None or updates < least_updates or updates - cold >= hot_ratio * updates:
            continue
        one = _seen(schema, blockers, table, (updates, cold, activity.total(table, "newpage_updates")), rooms)
        is_roomless = one.roomless >= newpage_ratio * cold
        if not (one.is_counted and is_roomless) and blockers.often_set(table, updates, change_ratio=change_ratio):
            continue  # hot_blocking_index names the index
        is_blocked = one.blocked >= change_ratio * one.total
        if not is_roomless and not is_blocked and not _is_explained(one, newpage_ratio):
            yield Unseen(table.qualified_name, _why_unknown(one, statement_activity, change_ratio))
            continue
        if is_roomless and not is_blocked and one.roomless <= rooms.pages(table):
            continue  # each page gave one version away, and has room since
        fix = None
        if is_roomless and not is_blocked:
            fix = rooms.fix(table) if one.bulk < change_ratio * one.total else None
        yield Finding(
            target=Target(Kind.TABLE, table.qualified_name),
            message=_message(rooms, one, is_roomless=is_roomless, is_blocked=is_blocked, fix=fix),
            severity=Severity.WARNING if cold >= many_updates else Severity.INFO,
            confidence=_confidence(one, is_roomless=is_roomless, is_blocked=is_blocked),
            basis=Basis.MEASURED if one.is_counted and is_roomless and not is_blocked else Basis.ESTIMATED,
            evidence=_evidence(rooms, one, window[0]),
            fix=fix,
            location=Location(table_oid=table.oid),
        )


def _seen(
    schema: Schema, blockers: HotBlockers, table: Table, counts: tuple[int, int, int | None], rooms: _Rooms
) -> _Updates:
    updates, cold, newpage = counts
    blocking = blockers.blocking(table)
    indexed = frozenset[int]().union(*blocking.values())
    telling, total = blockers.telling(table), blockers.total(table, updates)
    blocked = [one for one in telling if one.columns & indexed]
    often = frozenset[int]().union(*(one.columns for one in blocked)) & indexed
    clear = sum(one.rows for one in telling if not one.columns & indexed)
    rows = schema.rows_of(table)
    room = None if rows is None else rooms.left_free(table) * rows
    return _Updates(
        table=table,
        updates=updates,
        cold=cold,
        roomless=max(cold - (total - clear), 0) if newpage is None else newpage,
        is_counted=newpage is not None,
        total=total,
        blocked=sum(one.rows for one in blocked),
        clear=clear,
        bulk=sum(one.rows for one in blockers.updates(table) if room is not None and one.rows > room * one.calls),
        indexes=tuple(index for index, numbers in blocking.items() if numbers & often),
        columns=schema.column_names(table.oid, sorted(often)),
    )


def _is_explained(one: _Updates, newpage_ratio: float) -> bool:
    """Return whether room and indexes together are the cause, where neither is alone."""
    return one.is_counted and bool(one.blocked) and one.roomless + one.blocked >= newpage_ratio * one.cold


def _why_unknown(one: _Updates, activity: Sequence[StatementActivity] | None, change_ratio: float) -> str:
    few = f"{(one.updates - one.cold) / one.updates:.0%} of {format_count(one.updates)} updates were HOT, and"
    if activity is None:
        return f"{few} which columns they set is not known without pg_stat_statements"
    if one.blocked + one.clear < change_ratio * one.total:
        return f"{few} which columns most of them change is not known"
    if one.is_counted:
        return f"{few} neither the room nor what they set explains it: a trigger may change an indexed column"
    return f"{few} before PostgreSQL 16 nobody counts how many found no room on their page"


def _confidence(one: _Updates, *, is_roomless: bool, is_blocked: bool) -> Confidence:
    if is_roomless and not is_blocked:
        return Confidence.HIGH if one.is_counted and one.is_clear else Confidence.MEDIUM
    return Confidence.MEDIUM if is_blocked and one.is_counted else Confidence.LOW


def _message(rooms: _Rooms, one: _Updates, *, is_roomless: bool, is_blocked: bool, fix: Fix | None) -> str:
    hot = f"{(one.updates - one.cold) / one.updates:.0%} of {format_count(one.updates)} updates were HOT"
    if not is_roomless and is_blocked:
        return (
            f"{hot}, and {one.set_indexed}: where that changes the value, each writes to all indexes. "
            "An UPDATE that sets the same value does not."
        )
    if not is_roomless or is_blocked:
        return f"{hot}. {one.no_room.capitalize()}, and {one.set_indexed}: room alone would not make them HOT."
    factor = rooms.fillfactor(one.table)
    found = f"{hot}: {one.no_room} (fillfactor is {factor})"
    if fix is not None:
        unknown = "" if one.is_clear else ", as far as they change no indexed column"
        return f"{found}. A smaller one leaves room for them{unknown}."
    if rooms.fix(one.table) is not None:
        return f"{found}. Statements that change many rows at once fill more than a smaller one would leave free."
    return (
        f"{found}, which should do: old versions are kept by a long transaction, or one transaction changes the "
        "same rows again and again."
    )


def _evidence(rooms: _Rooms, one: _Updates, window: Window) -> dict[str, int | float | str]:
    evidence: dict[str, int | float | str] = {
        "updates": one.updates,
        "hot_updates": one.updates - one.cold,
        "fillfactor": rooms.fillfactor(one.table),
        "window_hours": round(window.hours, 1),
    }
    if one.is_counted:
        evidence["newpage_updates"] = one.roomless
    if one.indexes:
        evidence["indexes"] = listed([index.qualified_name for index in one.indexes])
        evidence["set_ratio"] = round(one.blocked / one.total, 2)
    return evidence


class _Rooms:
    """What room is left for new versions on the pages of tables, and what should be."""

    def __init__(self, schema: Schema, pages: Iterable[RelationPages]) -> None:
        self._schema = schema
        self._pages = {row.oid: row for row in pages}

    def fillfactor(self, table: Table) -> int:
        """Return a table's fillfactor, or the largest of its partitions'."""
        return max(map(_fillfactor, self._schema.leaves(table)), default=_FULL)

    def pages(self, table: Table) -> int:
        """Return how many pages a table is known to have at the least."""
        seen = (self._pages.get(leaf.oid) for leaf in self._schema.leaves(table))
        return sum(one.pages for one in seen if one is not None)

    def left_free(self, table: Table) -> float:
        """Return which part of each page the fillfactor that is advised leaves free."""
        return (_FULL - max(map(self._advised, self._schema.leaves(table)), default=_ROOMY)) / _FULL

    def fix(self, table: Table) -> Fix | None:
        """A partitioned table has no options of its own: its partitions get them. None where all leave room already."""
        sql, undo = [], []
        for leaf in self._schema.leaves(table):
            before, value = _fillfactor(leaf), self._advised(leaf)
            if before > value:
                back = (
                    f"SET (fillfactor = {before})" if "fillfactor" in options_of(leaf.options) else "RESET (fillfactor)"
                )
                sql.append(f"ALTER TABLE {leaf.qualified_name} SET (fillfactor = {value});")
                undo.append(f"ALTER TABLE {leaf.qualified_name} {back};")
        if not sql:
            return None
        caution = (
            "holds for pages that are filled from now on: full ones gain room as their rows move, or when the table "
            "is rewritten; the room that is left free is so much more to store and to read"
        )
        return Statements(sql=tuple(sql), undo=tuple(reversed(undo))).fix(caution=caution)

    def _advised(self, table: Table) -> int:
        """Return the fillfactor that leaves a tenth of a page free, or room for two versions where few rows share it.

        How many share one is known of tables that are large enough to be listed.
        """
        seen = self._pages.get(table.oid)
        if seen is None or not seen.row_estimate or not seen.pages:
            return _ROOMY
        share = _FULL * _VERSIONS * seen.pages / seen.row_estimate
        return max(min(_ROOMY, math.floor((_FULL - share) / 5) * 5), _LEAST)


def _fillfactor(table: Table) -> int:
    return int(options_of(table.options).get("fillfactor", _FULL))
