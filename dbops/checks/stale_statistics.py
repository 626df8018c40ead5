"""A table whose planner statistics are missing, or older than most of what they describe.

The planner chooses between indexes and kinds of joins by what ANALYZE last saw: how many rows there are, which values
are frequent, how many are different. Without that it guesses, and with old statistics it errs: a nested loop that
is right for five rows is run for five million. Autovacuum analyzes a table when autovacuum_analyze_threshold plus
autovacuum_analyze_scale_factor of its rows have changed, but it knows only of changes that were counted, and it never
analyzes a partitioned table as a whole, only its partitions. After a crash, pg_upgrade (before PostgreSQL 18) or a
restore that was cut short, the counters are empty while the rows are there.

How to fix:

ANALYZE the table: it reads a sample, and stands in nobody's way. For a partitioned table make it a regular job, and a
part of every large import; from PostgreSQL 18 on, ANALYZE ONLY spares the partitions. After pg_upgrade, run vacuumdb
--all --analyze-in-stages. Where autovacuum is kept from coming, see to that too.

Not reported: small tables, tables of extensions, those that are being vacuumed. Where nothing is known to hinder
autovacuum, and it knows of the changes, they are only mentioned, as it comes by itself within minutes. A partition's
finding is its topmost table's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbops.findings.changes import Statements
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.snapshot.amounts import format_bytes, format_count, plural
from dbops.snapshot.autovacuum import Autovacuum

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dbops.snapshot.rows import Table, TableStatistics
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.setting_rows import Setting
    from dbops.snapshot.vacuum_rows import RunningVacuum

TAG = Tag.LIVE


@dataclass(frozen=True, slots=True)
class _Stale:
    """A table with bad statistics: what is wrong, and whether autovacuum is about to mend it."""

    table: Table
    message: str
    evidence: Mapping[str, int]
    will_mend_itself: bool = False


def check(
    schema: Schema,
    settings: tuple[Setting, ...],
    table_statistics: tuple[TableStatistics, ...],
    running_vacuums: tuple[RunningVacuum, ...] | None = None,
    *,
    many_rows: int = 10_000,  # on a smaller table hardly any plan is a bad one
    changed_ratio: float = 2.0,  # of the changes that autovacuum waits for
    unknown_bytes: int = 1024**2,  # a table of this size has thousands of rows, though nobody has counted them
) -> Iterator[Finding | Unseen]:
    autovacuum, running = Autovacuum.of(settings), running_vacuums or ()
    statistics = {row.oid: row for row in table_statistics}
    vacuumed_now = {vacuum.table_oid for vacuum in running}
    for root in schema.roots():
        stale: list[_Stale] = []
        if root.kind == "p":
            stale += _as_a_whole(schema, root, statistics, autovacuum, many_rows=many_rows, changed_ratio=changed_ratio)
        for table in schema.leaves(root):
            row = statistics.get(table.oid)
            if row is None or table.oid in vacuumed_now:
                continue
            trigger = autovacuum.analyze_trigger(table.row_estimate, table.options)
            hindrance = autovacuum.hindrance(table.options, running)
            rows, size_bytes = max(row.live_rows, table.row_estimate or 0), schema.size_bytes(table.oid) or 0
            is_unknown = _is_unknown(table, row)
            if rows >= many_rows and (is_unknown or row.changes_since_analyze >= changed_ratio * trigger):
                stale.append(_changed(table, row, rows, trigger, hindrance))
            elif is_unknown and _is_uncounted(row) and size_bytes >= unknown_bytes:
                stale.append(_uncounted(table, size_bytes))
        if stale:
            yield _finding(root, stale)


def _is_unknown(table: Table, row: TableStatistics) -> bool:
    """Return whether the server has never counted the table's rows, which ANALYZE does."""
    return table.row_estimate is None and row.analyzed_at is None and row.autoanalyzed_at is None


def _is_uncounted(row: TableStatistics) -> bool:
    return not (row.live_rows or row.inserts or row.updates or row.deletes)


def _as_a_whole(
    schema: Schema,
    root: Table,
    statistics: Mapping[int, TableStatistics],
    autovacuum: Autovacuum,
    *,
    many_rows: int,
    changed_ratio: float,
) -> Iterator[_Stale]:
    """What the planner knows of a partitioned table itself: only ANALYZE by hand ever tells it."""
    rows, analyzed_rows = 0, root.row_estimate
    for leaf in schema.leaves(root):
        row = statistics.get(leaf.oid)
        rows += leaf.row_estimate if leaf.row_estimate is not None else row.live_rows if row else 0
    if max(rows, analyzed_rows or 0) < many_rows:
        return
    alone = "autovacuum analyzes its partitions alone"
    if analyzed_rows is None:
        message = (
            f"It was never analyzed as a whole, and {alone}: what joins and groups its {format_count(rows)} rows "
            "is planned by guesses."
        )
        yield _Stale(root, message, {"rows": rows})
    elif abs(rows - analyzed_rows) >= changed_ratio * autovacuum.analyze_trigger(analyzed_rows, ()):
        message = (
            f"It has {format_count(rows)} rows now, and had {format_count(analyzed_rows)} when it was last analyzed as "
            f"a whole: {alone}."
        )
        yield _Stale(root, message, {"rows": rows, "analyzed_rows": analyzed_rows})


def _changed(table: Table, row: TableStatistics, rows: int, trigger: int, hindrance: str | None) -> _Stale:
    changes = row.changes_since_analyze
    will_come = hindrance is None and changes > trigger
    if hindrance is not None:
        ending = f"autovacuum comes at {format_count(trigger)}, but {hindrance}"
    elif will_come:
        ending = f"autovacuum comes at {format_count(trigger)}, within some minutes"
    else:
        ending = f"autovacuum knows of {plural(changes, 'change')} alone, and waits for {format_count(trigger)}"
    if _is_unknown(table, row):
        message = f"It has {format_count(rows)} rows and was never analyzed: {ending}."
    else:
        message = (
            f"{plural(changes, 'change')} since the last ANALYZE, in a table of {format_count(rows)} rows: {ending}."
        )
    evidence = {"rows": rows, "changes_since_analyze": changes, "trigger_rows": trigger}
    return _Stale(table, message, evidence, will_mend_itself=will_come)


def _uncounted(table: Table, size_bytes: int) -> _Stale:
    message = (
        f"It holds {format_bytes(size_bytes)} and was never analyzed, nor is any change of it on record, so autovacuum "
        "does not come: its counters were lost in a crash or an upgrade."
    )
    return _Stale(table, message, {"size_bytes": size_bytes})


def _finding(root: Table, stale: Sequence[_Stale]) -> Finding:
    parts = [one for one in stale if one.table is not root]
    worst = min(stale, key=lambda one: one.will_mend_itself)
    message = worst.message
    if parts and worst.table is root:
        message += f" The statistics of {plural(len(parts), 'partition')} are out of date themselves."
    elif parts:
        message = f"{plural(len(parts), 'partition')} of it, such as {worst.table.qualified_name}: {worst.message}"
    # ANALYZE of a partitioned table goes on to its partitions.
    targets = [root] if len(parts) < len(stale) else [one.table for one in parts]
    return Finding(
        target=Target(Kind.TABLE, root.qualified_name),
        message=message,
        severity=Severity.INFO if worst.will_mend_itself else Severity.WARNING,
        confidence=Confidence.LOW if worst.will_mend_itself else Confidence.HIGH,
        basis=Basis.MEASURED,
        evidence=worst.evidence,
        fix=Statements(sql=tuple(f"ANALYZE {table.qualified_name};" for table in targets)).fix(),
        location=Location(table_oid=root.oid),
        rolled_up=tuple(one.table.qualified_name for one in parts),
    )
