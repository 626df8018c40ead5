"""An index whose keys begin another index, which answers the same queries.

A b-tree on (user_id, status) finds rows by user_id as well as one on (user_id) does, and sorts by it; so the shorter
one is mostly work without use: a write for every insert and every update that is not HOT, space, cache, VACUUM. On
Django projects it is the commonest finding, because a ForeignKey makes its own index, and a UniqueConstraint or an
Index that starts with the same field contains it. So is a plain index on the very keys of a unique index or of an
exclusion constraint.

The other one has the same method, operator classes, collations and predicate, the same order or a fully mirrored one,
and has every INCLUDE column of this one among its columns. The one that is named stays: no other finding asks for it
to go, and all that is reported may be dropped together.

The shorter index is smaller, so it takes less cache and may be faster where it is used much. Where it is at most a
third of the other and is scanned often, the finding is information only, and it may well be right to keep it.

PostgreSQL 18 can skip through an index: one on (a, b) can find rows by b alone when a has few values. That makes the
index on (b) less valuable, but no less needed: each value of a costs a descent of its own. This check does not count
it.

How to fix: drop what is reported, in the model. For a ForeignKey's own index say `db_index=False`; for one from
Meta.indexes remove the entry. A many-to-many table that Django makes by itself has no field to say it on.

Not reported: indexes that are unique, uphold a constraint, identify replicated rows or are clustered on; an order
that is mirrored in part; another predicate, also a partial index beside a full one, which is small on purpose;
another operator class (the `_like` index of a text column); keys that are not the first of the other; beginnings
under a method other than b-tree; the exact same index: see duplicate_index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.findings.index_fixes import drop_index
from dbops.findings.partition_rollup import roll_up
from dbops.snapshot.amounts import format_bytes, format_count, plural
from dbops.snapshot.index_cost import IndexCosts
from dbops.snapshot.superseded_indexes import Superseded, incomparable, superseded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.snapshot.rows import Index, IndexStatistics, Table, TableStatistics
    from dbops.snapshot.schema import Schema

TAG = Tag.STRUCTURAL


def check(
    schema: Schema,
    table_statistics: tuple[TableStatistics, ...] | None = None,
    index_statistics: tuple[IndexStatistics, ...] | None = None,
    *,
    large_bytes: int = 10 * 1024**2,  # below that it costs little: information, not a warning
    many_writes: int = 1_000_000,  # or it has taken part in so many writes since the counters' reset
    small_ratio: float = 0.33,  # so much smaller than the other one, and
    hot_scans: int = 10_000,  # scanned so often, it may earn its keep
) -> Iterator[Finding | Unseen]:
    for index in incomparable(schema):
        yield Unseen(index.qualified_name, "its table is locked by another session, so its definition was not read")
    costs = IndexCosts(schema, table_statistics, index_statistics)
    found = []
    for one in superseded(schema):
        if one.twin is None:
            earnings = _earnings(schema, costs, one, small_ratio=small_ratio, hot_scans=hot_scans)
            is_large = (schema.size_bytes(one.index.oid) or 0) >= large_bytes
            is_costly = is_large or (costs.writes(one.index) or 0) >= many_writes
            severity = Severity.WARNING if is_costly and not earnings else Severity.INFO
            found.append(_finding(schema, costs, one, severity, earnings))
    yield from roll_up(schema, found, message=_message_of_parts)


def _earnings(schema: Schema, costs: IndexCosts, one: Superseded, *, small_ratio: float, hot_scans: int) -> str:
    """Return what speaks for keeping the index, when it is much smaller than the other one and much used."""
    size_bytes, kept_bytes = schema.size_bytes(one.index.oid), schema.size_bytes(one.kept.oid)
    scans = costs.scans(one.index)
    if size_bytes is None or not kept_bytes or scans is None:
        return ""
    if size_bytes > small_ratio * kept_bytes or scans < hot_scans:
        return ""
    smaller = f"{size_bytes / kept_bytes:.0%} of the size"
    return f" At {smaller} it was scanned {format_count(scans)} times, so it may earn its keep."


def _finding(schema: Schema, costs: IndexCosts, one: Superseded, severity: Severity, earnings: str) -> Finding:
    return Finding(
        target=Target(Kind.INDEX, one.index.qualified_name),
        message=_message(schema, one) + earnings,
        severity=severity,
        evidence={**costs.evidence(one.index), "kept": one.kept.qualified_name},
        fix=drop_index(schema, one.index),
        location=Location(
            table_oid=one.index.table_oid,
            columns=schema.column_names(one.index.table_oid, one.index.columns),
            index=one.index.name,
        ),
    )


def _message(schema: Schema, one: Superseded) -> str:
    index, kept = one.index, one.kept
    if index.key_count < kept.key_count:
        because = f"{kept.qualified_name} starts with the same {_keys(schema, index)}"
    elif kept.is_unique:
        because = f"{kept.qualified_name} is unique on the same {_keys(schema, index)}"
    elif kept.is_exclusion:
        because = f"{kept.qualified_name} upholds an exclusion constraint on the same {_keys(schema, index)}"
    else:
        because = f"{kept.qualified_name} holds the same {_keys(schema, index)} and more"
    size_bytes = schema.size_bytes(index.oid)
    size = f" {format_bytes(size_bytes)} and" if size_bytes else ""
    each = "a write for some inserts" if index.is_partial else "a write for each insert"
    table = schema.tables[index.table_oid].qualified_name
    return f"{because}, so it answers the same queries; this one costs{size} {each} into {table}."


def _keys(schema: Schema, index: Index) -> str:
    names = schema.column_names(index.table_oid, index.keys)
    if len(names) < index.key_count:
        return "expression" if index.key_count == 1 else "keys"
    columns = ", ".join(names)
    return f"column ({columns})" if index.key_count == 1 else f"columns ({columns})"


def _message_of_parts(root: Table, parts: Sequence[Finding]) -> str:
    begin = "begins" if len(parts) == 1 else "begin"
    return f"{plural(len(parts), 'index')} of {root.qualified_name}'s partitions {begin} another of the same partition."
