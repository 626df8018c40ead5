"""An index on a column with so few values that it hardly ever helps.

To find half of a table's rows, or a fifth of them, the server reads nearly every page of the table whatever way it
takes, so it scans the table and leaves the index alone. Meanwhile each insert writes it, and so does each update that
is not HOT. An index on a boolean or a status earns its keep when one of its values is rare and that one is looked for:
then a partial index on the rare value does the same for a fraction of the price.

The values are those that the last ANALYZE found in its sample, with their frequencies; NULL counts as one. Which values
they are is never read. A value so rare that the sample missed it may be there, and may be what the index is for: where
the index was scanned, and a scan found few rows on average, nothing is reported.

How to fix: drop the index, in the model: `db_index=False`, or the entry out of Meta.indexes. Where queries look for one
value and sort by something else, index that: an Index on the other field with `condition=Q(status="open")`. Where
the index is only ever read by itself (count of each value), it may earn its keep: ignore the finding with that reason.

Not reported: an index that is the only one to look up a foreign key by; indexes of several columns, with INCLUDE
columns, on an expression; partial, unique and constraints' ones; those that replication or CLUSTER uses; what
duplicate_index and redundant_index want to go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Tag, Target, Unseen
from dbops.findings.index_fixes import drop_index
from dbops.snapshot.amounts import format_bytes, format_count, listed, plural
from dbops.snapshot.index_cost import IndexCosts
from dbops.snapshot.single_key_indexes import only_cover_of_foreign_key, single_keys

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
    most_values: int = 3,  # a boolean has three, with NULL
    rare_ratio: float = 0.05,  # what is rarer is found faster by the index than by reading the table
    smallest_bytes: int = 10 * 1024**2,  # below that it costs little
) -> Iterator[Finding | Unseen]:
    costs = IndexCosts(schema, table_statistics, index_statistics)
    for one in single_keys(schema, column_statistics, smallest_bytes):
        if isinstance(one.statistics, str):
            yield Unseen(one.index.qualified_name, one.statistics)
        elif (
            one.has_few_values(most_values, rare_ratio)
            and not only_cover_of_foreign_key(schema, one)
            and not _finds_few(schema, costs, one, rare_ratio)
        ):
            yield _finding(schema, costs, one)


def _finds_few(schema: Schema, costs: IndexCosts, one: SingleKey, rare_ratio: float) -> bool:
    """Return whether the scans of the index found so few rows that it was a rare value they looked for."""
    entries, rows = costs.entries_per_scan(one.index), schema.rows_of(one.table)
    return entries is not None and rows is not None and entries < rare_ratio * rows


def _finding(schema: Schema, costs: IndexCosts, one: SingleKey) -> Finding:
    parts = one.value_ratios()
    values = max(len(part) for part in parts)
    return Finding(
        target=Target(Kind.INDEX, one.index.qualified_name),
        message=_message(costs, one, values),
        confidence=Confidence.MEDIUM,
        basis=Basis.ESTIMATED,
        evidence={
            **costs.evidence(one.index),
            "distinct_values": values,
            "rarest_ratio": round(min(min(part) for part in parts), 4),
        },
        fix=drop_index(schema, one.index),
        location=Location(table_oid=one.table.oid, columns=(one.column,), index=one.index.name),
    )


def _message(costs: IndexCosts, one: SingleKey, values: int) -> str:
    size, scans = format_bytes(one.size_bytes), costs.scans(one.index)
    parts = one.value_ratios()
    found = plural(values, "value")
    if len(parts) == 1 and values > 1:
        found += f", of {listed([f'{ratio:.0%}' for ratio in sorted(parts[0], reverse=True)])} of the rows"
    scanned = "" if scans is None else f" It was scanned {format_count(scans)} times since the counters were reset."
    return (
        f"{one.column} has {found}, so that reading the table finds them as fast; the index costs {size} and a write "
        f"for each insert into {one.table.qualified_name}.{scanned}"
    )
