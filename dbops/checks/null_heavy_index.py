"""An index most of whose entries are NULL.

A b-tree has an entry for every row, those without a value too, and an index that leaves them out (WHERE column IS NOT
NULL) finds the same rows: no comparison is ever true of NULL. It is smaller, so that more of it stays in the cache, a
row without a value costs it no write, and updates of other columns of such rows do not touch it.

What the smaller index cannot do is to find the rows where the column is NULL, and to give all rows in the column's
order (ORDER BY without a condition on it). Whether there are such queries the catalogue does not tell; so the finding
is of medium confidence: look for `__isnull=True` and for that order in the code first. The joins of a foreign key, and
the server's look-ups when a row that is pointed to is deleted, need no NULL: the smaller index serves them as well.

How to fix: build the smaller index, then drop the large one, both concurrently. In the model it is an Index in
Meta.indexes with `condition=Q(column__isnull=False)` in the place of the old one, or of the field's `db_index` (for a
ForeignKey say `db_index=False` as well). When the column is searched for NULL, ignore the finding with that reason.

Not reported: indexes of several columns, with INCLUDE columns, on an expression; partial, unique and constraints' ones;
those that replication or CLUSTER uses; columns of a few frequent values, for which an index is of little use anyway
(see low_cardinality_index); what duplicate_index and redundant_index want to go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.findings.index_fixes import without_nulls
from dbops.snapshot.amounts import format_bytes
from dbops.snapshot.index_cost import IndexCosts
from dbops.snapshot.index_names import IndexNames
from dbops.snapshot.single_key_indexes import single_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.rows import IndexStatistics, TableStatistics
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.single_key_indexes import SingleKey
    from dbops.snapshot.storage_rows import ColumnStatistics

TAG = Tag.LIVE


def check(
    schema: Schema,
    column_statistics: tuple[ColumnStatistics, ...],
    table_statistics: tuple[TableStatistics, ...] | None = None,
    index_statistics: tuple[IndexStatistics, ...] | None = None,
    *,
    null_ratio: float = 0.5,  # from there on most entries serve no comparison
    smallest_bytes: int = 1024**2,  # below that nobody feels the difference
    large_bytes: int = 10 * 1024**2,  # of entries that are NULL: below it is information, not a warning
    most_values: int = 3,  # with so few values, NULL among them,
    rare_ratio: float = 0.05,  # and none as rare as this, it is low_cardinality_index's
) -> Iterator[Finding | Unseen]:
    costs, names = IndexCosts(schema, table_statistics, index_statistics), IndexNames(schema)
    for one in single_keys(schema, column_statistics, smallest_bytes):
        if isinstance(one.statistics, str):
            yield Unseen(one.index.qualified_name, one.statistics)
            continue
        nulls = one.null_ratio or 0.0
        if nulls < null_ratio or one.has_few_values(most_values, rare_ratio):
            continue
        yield Finding(
            target=Target(Kind.INDEX, one.index.qualified_name),
            message=_message(one, nulls),
            severity=Severity.WARNING if nulls * one.size_bytes >= large_bytes else Severity.INFO,
            confidence=Confidence.MEDIUM,
            basis=Basis.ESTIMATED,
            evidence={**costs.evidence(one.index), "null_ratio": round(nulls, 4)},
            fix=without_nulls(schema, one.index, names),
            location=Location(table_oid=one.table.oid, columns=(one.column,), index=one.index.name),
        )


def _message(one: SingleKey, nulls: float) -> str:
    return (
        f"{nulls:.0%} of the entries in its {format_bytes(one.size_bytes)} are NULL. An index without them serves all "
        f"queries but those for {one.column} IS NULL, and those sorted by {one.column} without a condition on it: make "
        "sure that there are none."
    )
