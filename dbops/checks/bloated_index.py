"""A b-tree that takes up far more room than its entries need.

An index grows a page wherever a full one is split, and gives pages back only when nothing is left in them: after many
deletions, or updates of the indexed column, a few entries are spread over many pages. Each page costs cache, time to
read, time of VACUUM and of backups. A b-tree that is written in random order is two thirds full on average, which is
as it should be; this is about those that are emptier.

How much an index needs is first estimated, from the number of rows, the width of its columns and its fillfactor (the
method of check_postgres and of ioguix's bloat queries, with equal keys reckoned once where the index keeps them so).
What seems bloated is then measured by pgstatindex() of the extension pgstattuple: what that does not confirm is not
reported. Twenty relations are measured at most, the worst first, each in a transaction of its own, for at most 20
seconds each and 60 in all; an index of more than 4 GB is not measured, as all of it would have to be read. What was not
measured is reported as estimated, with low confidence and the reason. Where nothing can be estimated, as the role may
not see the planner's statistics, the largest indexes are measured all the same, and the rest is listed as not seen.

How to fix:

REINDEX INDEX CONCURRENTLY builds the index anew beside the old one, while reads and writes go on; it needs room for
the new one. When it is soon as bloated again, look for the cause: long transactions that keep VACUUM from removing
entries, autovacuum that comes too rarely (see overdue_vacuum), or a queue of rows that come and go, for which it may be
normal.

Not reported: b-trees smaller than 10 MB, those of TOAST tables and of the catalogue; other kinds of indexes, for which
there is neither estimate nor measurement; what is not valid (see invalid_index). Each partition's index is judged by
itself, and told with those of the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.bloat_findings import certainty, evidence, spoken
from dbops.findings.changes import RebuildIndex
from dbops.findings.finding import Finding, Kind, Location, Tag, Target, Unseen
from dbops.findings.partition_rollup import roll_up
from dbops.snapshot.amounts import format_bytes, plural
from dbops.snapshot.bloat import Bloats
from dbops.snapshot.index_shape import is_usable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.snapshot.bloat import Bloat
    from dbops.snapshot.rows import Index, Table
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.storage_rows import BloatMeasurement, ColumnStatistics, RelationPages

TAG = Tag.LIVE


def check(
    schema: Schema,
    relation_pages: tuple[RelationPages, ...],
    column_statistics: tuple[ColumnStatistics, ...],
    bloat_measurements: tuple[BloatMeasurement, ...] | None = None,
    *,
    wasted_ratio: float = 0.3,  # of its size: random insertion leaves a quarter free, which is no fault
    wasted_bytes: int = 100 * 1024**2,  # less is not worth the work
) -> Iterator[Finding | Unseen]:
    bloats = Bloats(schema, relation_pages, column_statistics, bloat_measurements)
    found: list[Finding] = []
    for index in schema.indexes.values():
        table = schema.tables.get(index.table_oid)
        if table is None or schema.root(table).extension is not None:
            continue
        if index.kind != "i" or index.method != "btree" or not is_usable(index):
            continue
        bloat = bloats.of_index(index, wasted_bytes)
        if isinstance(bloat, str):
            yield Unseen(index.qualified_name, bloat)
        elif bloat is not None and bloat.exceeds(wasted_bytes, wasted_ratio):
            found.append(_finding(schema, index, table, bloat))
    yield from roll_up(schema, found, message=_message_of_parts)


def _finding(schema: Schema, index: Index, table: Table, bloat: Bloat) -> Finding:
    basis, confidence = certainty(bloat)
    return Finding(
        target=Target(Kind.INDEX, index.qualified_name),
        message=spoken(bloat, "its entries"),
        confidence=confidence,
        basis=basis,
        evidence=evidence(bloat),
        fix=RebuildIndex(schema=index.schema, name=index.name).fix(
            caution=f"needs {format_bytes(bloat.needed_bytes)} of free disk for the new index, and reads "
            f"{table.qualified_name} twice while writes go on"
        ),
        location=Location(table_oid=table.oid, columns=schema.column_names(table.oid, index.columns), index=index.name),
    )


def _message_of_parts(root: Table, parts: Sequence[Finding]) -> str:
    wasted = sum(value for part in parts if isinstance(value := part.evidence["wasted_bytes"], int))
    waste = "wastes" if len(parts) == 1 else "waste"
    return f"{plural(len(parts), 'index')} of {root.qualified_name}'s partitions {waste} {format_bytes(wasted)}."
