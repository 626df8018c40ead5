"""An index that is written all the time and hardly ever read.

Each insert, and each update that is not HOT, writes an entry to every index of the table: WAL, a page in the cache,
work for VACUUM later. An index that is scanned less than once in a hundred writes may cost more than it saves. May:
the few scans may be the month's report, or a page that would time out without it. So nothing is advised to be dropped
here; the finding names the two numbers that have to be weighed.

How to fix: look which queries it serves (the plans of the slow ones, the code that filters or sorts by its columns). If
another index, or reading the table, does for them, drop it in the model: `db_index=False`, or the entry out of
Meta.indexes. If they look for a few rows only, a partial index (`condition=Q(…)`) is written less. If it is needed as
it is, ignore the finding with that reason.

Not reported: windows shorter than a day; an index without any scan (see unused_index, which looks at a longer time and
at all servers); those that are unique, uphold a constraint, identify replicated rows, are clustered on, or by which a
foreign key is looked up; tables to which rows are only added, which are often read much later; partial indexes, for
nobody knows how many of the writes they took part in, and BRIN, which takes part in hardly any; what duplicate_index
and redundant_index want to go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.snapshot.amounts import format_bytes, format_count, plural
from dbops.snapshot.foreign_key_covers import ForeignKeyCovers
from dbops.snapshot.index_window import IndexWindow
from dbops.snapshot.query_indexes import query_indexes
from dbops.snapshot.superseded_indexes import superseded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.activity_rows import IndexActivity, TableActivity, Window
    from dbops.snapshot.rows import GenericRelation, Index
    from dbops.snapshot.schema import Schema

TAG = Tag.LIVE


def check(
    schema: Schema,
    window: tuple[Window, ...],
    table_activity: tuple[TableActivity, ...],
    index_activity: tuple[IndexActivity, ...],
    generic_relations: tuple[GenericRelation, ...] | None = None,
    *,
    hours: float = 24,  # a shorter window misses what runs by night
    few_scans: int = 1000,  # with so many it is in use, whatever it costs
    many_writes: int = 10_000,  # up to so many cost little
    writes_per_scan: int = 100,  # so many writes may cost more than a scan saves
    large_bytes: int = 100 * 1024**2,  # from there on it is a warning
) -> Iterator[Finding | Unseen]:
    if window[0].hours < hours:
        yield Unseen("indexes", f"their window has {window[0].hours:.1f} of the {hours:g} hours that are needed")
        return
    if any(row.updates is None for row in table_activity):
        yield Unseen("indexes", "writes are counted on the primary alone: look there")
        return
    activity = IndexWindow(schema, table_activity, index_activity)
    covers = ForeignKeyCovers(schema, generic_relations or ())
    leaving = {one.index.oid for one in superseded(schema)}
    for index in query_indexes(schema):
        scans, writes = activity.scans(index), activity.writes(index)
        if not scans or writes is None or index.method == "brin" or index.oid in leaving:
            continue
        is_heavy = scans < few_scans and writes > many_writes and scans * writes_per_scan < writes
        if is_heavy and _is_changed(schema, activity, index) and not covers.covers(index):
            yield _finding(schema, index, scans, writes, window[0].hours, large_bytes)


def _is_changed(schema: Schema, activity: IndexWindow, index: Index) -> bool:
    """Return whether rows of its table were updated or deleted: to an append-only one they are added and kept."""
    table = schema.tables[index.table_oid]
    return bool(activity.total(table, "updates") or activity.total(table, "deletes"))


def _finding(schema: Schema, index: Index, scans: int, writes: int, hours: float, large_bytes: int) -> Finding:
    size_bytes = schema.size_bytes(index.oid)
    size = f", and takes {format_bytes(size_bytes)}" if size_bytes else ""
    evidence: dict[str, int | float | str] = {"scans": scans, "writes": writes, "window_hours": round(hours, 1)}
    if size_bytes is not None:
        evidence["size_bytes"] = size_bytes
    return Finding(
        target=Target(Kind.INDEX, index.qualified_name),
        message=f"In {hours:.0f} hours {format_count(writes)} writes to "
        f"{schema.tables[index.table_oid].qualified_name} went to it, for {plural(scans, 'scan')}{size}: see which "
        "queries need it before you decide.",
        severity=Severity.WARNING if (size_bytes or 0) >= large_bytes else Severity.INFO,
        confidence=Confidence.MEDIUM,
        basis=Basis.MEASURED,
        evidence=evidence,
        location=Location(
            table_oid=index.table_oid,
            columns=schema.column_names(index.table_oid, index.columns),
            index=index.name,
        ),
    )
