"""A table, or its TOAST table, that takes up far more room than its rows need.

Updates and deletions leave holes. VACUUM makes them free for new rows, but gives back to the disk only what lies at the
very end of the file. After a mass deletion, or a long time in which VACUUM could not keep up, a table stays many times
as large as its rows: every sequential scan reads the holes, they take room in the cache, in backups and on replicas.

How much the rows need is first estimated, from their number, the width and alignment of the columns and the fillfactor
(the method of check_postgres and of ioguix's bloat queries); a TOAST table is taken to need four pieces to a page. What
seems bloated is then measured by pgstattuple_approx() of the extension pgstattuple, which reads only the pages that are
not marked as all-visible: what that does not confirm is not reported. Twenty relations are measured at most, the worst
first, each in a transaction of its own, for at most 20 seconds each and 60 in all, and none of which more than 4 GB
would have to be read. What was not measured is reported as estimated, with low confidence and the reason. Where nothing
can be estimated, as the role may not see the planner's statistics, the largest tables are measured all the same, and
the rest is listed as not seen.

How to fix:

VACUUM does not make the table smaller. Where new rows will fill the holes soon, leave it. Else VACUUM (FULL, ANALYZE)
writes table, TOAST table and indexes anew. Nobody can read or write the table meanwhile, and both copies are on disk
until it is done: take a quiet hour, and set lock_timeout, so that it does not queue up everybody behind it. Extensions
such as pg_repack or pg_squeeze do the same with short locks only, where they are installed; a table that is mostly
deleted by date is better partitioned, so that old partitions are dropped.

Then see to the cause, or it comes back: autovacuum that lags behind (overdue_vacuum, disabled_table_autovacuum), long
transactions that keep it from removing rows (long_transaction, idle_in_transaction), or mass deletions and updates
in one go, which are better done in batches with VACUUM in between.

Not reported: tables smaller than 10 MB; rows that only became dead since the last VACUUM or ANALYZE, as it is the
statistics of that moment that are judged. What was never analyzed, or was far smaller then, is listed as not seen. Each
partition is judged by itself, and told with those of the whole table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.bloat_findings import certainty, evidence, spoken
from dbops.findings.changes import Statements
from dbops.findings.finding import Finding, Kind, Location, Tag, Target, Unseen
from dbops.findings.partition_rollup import roll_up
from dbops.snapshot.amounts import format_bytes, plural
from dbops.snapshot.bloat import Bloat, Bloats

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Table
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.storage_rows import BloatMeasurement, ColumnStatistics, RelationPages

TAG = Tag.LIVE


def check(
    schema: Schema,
    relation_pages: tuple[RelationPages, ...],
    column_statistics: tuple[ColumnStatistics, ...],
    bloat_measurements: tuple[BloatMeasurement, ...] | None = None,
    *,
    wasted_ratio: float = 0.3,  # of its size: autovacuum by default lets a sixth of a table's rows be dead
    wasted_bytes: int = 100 * 1024**2,  # less is not worth an hour in which nobody can read the table
) -> Iterator[Finding | Unseen]:
    bloats = Bloats(schema, relation_pages, column_statistics, bloat_measurements)
    found: list[Finding] = []
    for root in schema.roots():
        for table in schema.leaves(root):
            bloated: list[tuple[Bloat, bool]] = []
            for bloat, is_toast in bloats.of_table(table, wasted_bytes):
                if isinstance(bloat, str):
                    yield Unseen(table.qualified_name, f"its TOAST table: {bloat}" if is_toast else bloat)
                elif bloat.exceeds(wasted_bytes, wasted_ratio):
                    bloated.append((bloat, is_toast))
            if bloated:
                found.append(_finding(schema, table, bloated))
    yield from roll_up(schema, found, message=_message_of_parts)


def _finding(schema: Schema, table: Table, bloated: Sequence[tuple[Bloat, bool]]) -> Finding:
    worst, _ = max(bloated, key=lambda one: one[0].wasted_bytes)
    basis, confidence = certainty(worst)
    return Finding(
        target=Target(Kind.TABLE, table.qualified_name),
        message=" ".join(_message(bloat, is_toast=is_toast) for bloat, is_toast in bloated),
        confidence=confidence,
        basis=basis,
        evidence=evidence(_together([bloat for bloat, _ in bloated])),
        fix=_fix(schema, table),
        location=Location(table_oid=table.oid),
    )


def _together(bloats: Sequence[Bloat]) -> Bloat:
    """Return the bloat of a table and its TOAST table as one."""
    return Bloat(
        size_bytes=sum(bloat.size_bytes for bloat in bloats),
        needed_bytes=sum(bloat.needed_bytes for bloat in bloats),
        dead_bytes=sum(bloat.dead_bytes or 0 for bloat in bloats),
        unmeasured=next((bloat.unmeasured for bloat in bloats if bloat.unmeasured), None),
    )


def _message(bloat: Bloat, *, is_toast: bool) -> str:
    said = spoken(bloat, "its values" if is_toast else "its rows")
    if is_toast:
        said = f"In its TOAST table: {said}"
    if bloat.dead_bytes and bloat.dead_bytes >= bloat.wasted_bytes / 2:
        return (
            f"{said} {format_bytes(bloat.dead_bytes)} of that are dead rows, which VACUUM would make free for new "
            "ones: see overdue_vacuum."
        )
    return said


def _fix(schema: Schema, table: Table) -> Fix:
    size_bytes = schema.size_bytes(table.oid)
    size = f", {format_bytes(size_bytes)} now," if size_bytes else ""
    return Statements(sql=(f"VACUUM (FULL, ANALYZE) {table.qualified_name};",), in_transaction=False).fix(
        caution=f"nobody can read or write {table.qualified_name} while it{size} is written anew with its indexes, "
        "and both copies have to fit on the disk; dead rows that an old transaction may still look at stay"
    )


def _message_of_parts(root: Table, parts: Sequence[Finding]) -> str:
    wasted = sum(value for part in parts if isinstance(value := part.evidence["wasted_bytes"], int))
    waste = "wastes" if len(parts) == 1 else "waste"
    return f"{plural(len(parts), 'partition')} of {root.qualified_name} {waste} {format_bytes(wasted)}."
