"""A large table that autovacuum comes to only after a fifth of it has changed.

By default autovacuum waits until the dead rows are a fifth of all (autovacuum_vacuum_scale_factor), and with ANALYZE
until a tenth of them has changed. That suits small tables. In a table of a hundred million rows it means twenty million
dead ones: it grows by a fifth that it does not need, scans and index look-ups pass over what is dead, and when VACUUM
comes at last it works for hours. Often and little is cheaper than seldom and much.

How to fix:

ALTER TABLE … SET (autovacuum_vacuum_scale_factor = 0.01, …) makes it wait for a hundredth. It needs no lock that would
stop reads or writes, and holds from autovacuum's next round on. For many such tables, let the server's own
autovacuum_vacuum_scale_factor be smaller; from PostgreSQL 18 on, autovacuum_vacuum_max_threshold caps it for all.

Not reported: tables that have a scale factor, threshold or cap of their own, or where autovacuum is switched off (see
disabled_table_autovacuum); those where the server's settings bring it sooner; those whose rows are only ever inserted,
as far as is known; tables of extensions, materialised views. A table is only mentioned where it is not known that rows
are changed or deleted in it. Partitions are judged one by one, and told as their topmost table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Severity, Tag, Target
from dbops.snapshot.amounts import format_count, format_seconds, plural
from dbops.snapshot.autovacuum import Autovacuum, is_switched_off, options_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.activity_rows import TableActivity, Window
    from dbops.snapshot.rows import Table, TableStatistics
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.setting_rows import Setting

TAG = Tag.LIVE

#: A table that has one of these was tuned by somebody.
_TUNED: Final = frozenset(
    {"autovacuum_vacuum_scale_factor", "autovacuum_vacuum_threshold", "autovacuum_vacuum_max_threshold"}
)
#: What a large table gets. The threshold is for the day when it is emptied: a hundredth of little is soon passed.
_VACUUM: Final = {"autovacuum_vacuum_scale_factor": "0.01", "autovacuum_vacuum_threshold": "10000"}
_ANALYZE: Final = {"autovacuum_analyze_scale_factor": "0.01", "autovacuum_analyze_threshold": "10000"}


def check(
    schema: Schema,
    settings: tuple[Setting, ...],
    table_statistics: tuple[TableStatistics, ...] | None = None,
    table_activity: tuple[TableActivity, ...] | None = None,
    window: tuple[Window, ...] | None = None,
    *,
    many_rows: int = 10_000_000,  # from here on, a fifth of the rows is more than VACUUM does in passing
    late_ratio: float = 0.2,  # of the rows: the server's default; whoever chose less has thought of it
    dying_rows: int = 10_000,  # in the window; where fewer die, the table waits long, and for little
) -> Iterator[Finding]:
    autovacuum = Autovacuum.of(settings)
    statistics = {row.oid: row for row in table_statistics or ()}
    activity = {row.oid: row for row in table_activity or ()} if window else {}
    for root in schema.roots():
        untuned = [
            (table, rows, autovacuum.vacuum_trigger(rows, table.options))
            for table in schema.leaves(root)
            if table.kind == "r"
            and (rows := _rows(table, statistics.get(table.oid))) >= many_rows
            and not _TUNED & options_of(table.options).keys()
            and not is_switched_off(table.options)
            and autovacuum.vacuum_trigger(rows, table.options) >= late_ratio * rows
            and not _is_only_filled(statistics.get(table.oid), activity.get(table.oid))
        ]
        if untuned:
            died = _died(activity, untuned)
            yield _finding(root, untuned, died, window[0] if window else None, dying_rows)


def _rows(table: Table, row: TableStatistics | None) -> int:
    return max(table.row_estimate or 0, row.live_rows if row else 0)


def _is_only_filled(row: TableStatistics | None, did: TableActivity | None) -> bool:
    """Return whether all that is known of a table is that rows were inserted: none of them dies."""
    if row is None or row.updates or row.deletes or row.dead_rows:
        return False
    return row.inserts > 0 and not (did and (did.updates or did.deletes))


def _died(activity: Mapping[int, TableActivity], untuned: Sequence[tuple[Table, int, int]]) -> int | None:
    """Return how many rows died in the window; None where nobody knows. What a HOT update leaves goes by itself."""
    died = None
    for table, _, _ in untuned:
        did = activity.get(table.oid)
        if did is not None and did.updates is not None and did.hot_updates is not None and did.deletes is not None:
            died = (died or 0) + did.updates - did.hot_updates + did.deletes
    return died


def _finding(
    root: Table, untuned: Sequence[tuple[Table, int, int]], died: int | None, window: Window | None, dying_rows: int
) -> Finding:
    _, rows, trigger = max(untuned, key=lambda one: one[1])
    is_written = died is not None and died >= dying_rows
    parts = [table.qualified_name for table, _, _ in untuned if table is not root]
    subject = f"{plural(len(parts), 'partition')} of it have up to" if len(parts) > 1 else "It has"
    if len(parts) == 1:
        subject = f"The partition {parts[0]} has"
    message = (
        f"{subject} {format_count(rows)} rows, and autovacuum waits until {format_count(trigger)} of them are dead: "
        "the default is for smaller tables."
    )
    evidence: dict[str, int | float | str] = {"rows": rows, "trigger_rows": trigger}
    if died is not None and window is not None:
        evidence |= {"dying_rows": died, "window_s": int(window.covered_s)}
        if is_written:
            message += f" {format_count(died)} rows died within {format_seconds(window.covered_s)}."
    return Finding(
        target=Target(Kind.TABLE, root.qualified_name),
        message=message,
        severity=Severity.WARNING if is_written else Severity.INFO,
        confidence=Confidence.HIGH if is_written else Confidence.LOW,
        basis=Basis.MEASURED if is_written else Basis.ESTIMATED,
        evidence=evidence,
        fix=_fix([table for table, _, _ in untuned]),
        location=Location(table_oid=root.oid),
        rolled_up=tuple(parts),
    )


def _fix(tables: Sequence[Table]) -> Fix:
    """A partitioned table has no options of its own: its partitions get them. What was said of ANALYZE stays."""
    sql, undo = [], []
    for table in tables:
        options = dict(_VACUUM) if options_of(table.options).keys() & _ANALYZE.keys() else {**_VACUUM, **_ANALYZE}
        values = ", ".join(f"{name} = {value}" for name, value in options.items())
        sql.append(f"ALTER TABLE {table.qualified_name} SET ({values});")
        undo.append(f"ALTER TABLE {table.qualified_name} RESET ({', '.join(options)});")
    return Statements(sql=tuple(sql), undo=tuple(reversed(undo))).fix()
