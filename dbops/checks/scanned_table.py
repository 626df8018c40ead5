"""A large table that is read from end to end all the time, which an index might spare.

To find a few rows without an index the server reads all of them. That is nothing for a table of some hundred rows; of a
large one it costs a tenth of a second or a minute each time, pushes what others need out of memory, and becomes slower
with each row that is added.

How to fix:

Look at the statements that read it (the message names the costliest one that mentions it) with EXPLAIN (ANALYZE): where
"Rows Removed by Filter" is large, an index on what WHERE compares would help. A condition that no index can serve
(LIKE '%…%', a function of a column) needs another kind: pg_trgm, or an index on the expression. Where all rows are
wanted every time, to count or to add them up, keep the sum or cache it.

Not reported: small tables, scans that stop early (LIMIT), those that are rare (exports, reports, dumps), and tables
that are mostly looked up by an index, so that their scans are small beside that. Partitions are judged each by itself,
and told as their table; a window of less than an hour is not judged. Which index is missing is not guessed from
counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.findings.query_findings import queries, shown
from dbops.snapshot.amounts import format_count, plural
from dbops.snapshot.statement_text import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.snapshot.activity_rows import StatementActivity, TableActivity, Window
    from dbops.snapshot.rows import Table
    from dbops.snapshot.schema import Schema

TAG = Tag.LIVE


@dataclass(frozen=True, slots=True)
class _Scanned:
    table: Table
    rows: int
    activity: TableActivity


def check(
    schema: Schema,
    table_activity: tuple[TableActivity, ...],
    window: tuple[Window, ...],
    statement_activity: tuple[StatementActivity, ...] | None = None,
    *,
    many_rows: int = 50_000,  # a scan of fewer takes some milliseconds
    many_times: float = 10,  # times all of its rows in the window, and rows by scans for each use of an index
    scans_per_hour: float = 6,  # of the whole table: what runs every quarter of an hour is a job
    scanned_ratio: float = 0.2,  # of the rows, each scan: a parallel one counts once for every process that takes part
    rows_per_hour: int = 10_000_000,  # seconds of a core
    many_rows_per_hour: int = 100_000_000,  # a per cent of a core, and each scan is felt: worth a warning
    short_window_h: float = 1.0,  # some minutes may be those of a job
) -> Iterator[Finding | Unseen]:
    hours = window[0].hours
    if hours < short_window_h:
        yield Unseen("all tables", f"counted for less than {short_window_h:g} h, which says nothing of how often")
        return
    activities = {activity.oid: activity for activity in table_activity}
    for root in schema.roots():
        scanned: list[_Scanned] = []
        for leaf in schema.leaves(root):
            activity = activities.get(leaf.oid)
            if activity is None or activity.sequential_scans == 0:
                continue
            rows = leaf.row_estimate
            if not rows:
                if rows is None and activity.sequential_rows / hours >= rows_per_hour:
                    yield Unseen(leaf.qualified_name, "never analyzed, so how many rows it has is not known: ANALYZE")
                continue
            times = activity.sequential_rows / rows
            is_whole = activity.sequential_rows >= scanned_ratio * rows * activity.sequential_scans
            is_often = times >= many_times and times / hours >= scans_per_hour
            if is_whole and is_often and activity.sequential_rows >= many_times * activity.index_scans:
                scanned.append(_Scanned(leaf, rows, activity))
        read = sum(one.activity.sequential_rows for one in scanned)
        if sum(one.rows for one in scanned) >= many_rows and read / hours >= rows_per_hour:
            is_much = read / hours >= many_rows_per_hour
            yield _finding(root, scanned, window[0], statement_activity or (), is_much=is_much)


def _finding(
    root: Table,
    scanned: Sequence[_Scanned],
    window: Window,
    statements: Sequence[StatementActivity],
    *,
    is_much: bool,
) -> Finding:
    rows = sum(one.rows for one in scanned)
    read = sum(one.activity.sequential_rows for one in scanned)
    index_scans = sum(one.activity.index_scans for one in scanned)
    parts = tuple(one.table.qualified_name for one in scanned if one.table is not root)
    what = (
        f"{plural(len(parts), 'partition')} with {format_count(rows)} rows" if parts else f"{format_count(rows)} rows"
    )
    message = (
        f"{what}, read from end to end {read / rows / window.hours:,.0f} times an hour, and "
        f"{plural(index_scans, 'scan')} of its indexes in {window.hours:,.0f} h."
    )
    costliest = _costliest(root, scanned, statements)
    if costliest is not None:
        message += f" The costliest statement that mentions it: {shown(costliest)}"
    return Finding(
        target=Target(Kind.TABLE, root.qualified_name),
        message=message,
        severity=Severity.WARNING if is_much else Severity.INFO,
        # Whether all of the rows were wanted, no counter tells.
        confidence=Confidence.MEDIUM,
        basis=Basis.MEASURED,
        evidence={
            "rows": rows,
            "sequential_scans": sum(one.activity.sequential_scans for one in scanned),
            "sequential_rows": read,
            "index_scans": index_scans,
            "rows_per_hour": round(read / window.hours),
            "window_hours": round(window.hours, 2),
            **({"query_id": str(costliest.query_id)} if costliest else {}),
        },
        location=Location(table_oid=root.oid),
        rolled_up=parts,
    )


def _costliest(
    root: Table, scanned: Sequence[_Scanned], statements: Sequence[StatementActivity]
) -> StatementActivity | None:
    """Return the query that read the most blocks of those in which the table's name stands."""
    names = {root.name, *(one.table.name for one in scanned)}
    ones = [one for one in queries(statements) if one.text is not None and not names.isdisjoint(_words(one.text))]
    return max(ones, key=lambda one: one.shared_blocks_hit + one.shared_blocks_read, default=None)


def _words(text: str) -> Iterator[str]:
    """Iterate over the names in a statement, as the catalogue has them."""
    for kind, spelled in tokens(text):
        if kind == "word":
            yield spelled.lower()
        elif kind == "quoted":
            yield spelled[1:-1].replace('""', '"')
