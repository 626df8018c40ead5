"""An index on a column that changes all the time, so that updates cannot be HOT.

An update that changes no indexed column can put the new version of the row on the same page and touch no index (HOT:
heap-only tuple). As soon as one indexed column changes, every index of the table gets a new entry. An index on a column
like `last_seen` makes each update pay for all indexes, and leaves more for VACUUM.

No catalogue tells which columns change. They are taken from the SET lists of the UPDATE statements in
pg_stat_statements; so the finding is of medium confidence at most: an update that sets the value which was there
already blocks nothing. Django's save() sets every column, and says nothing about which one changes: a SET list of
nearly all columns counts as unknown. Before PostgreSQL 16 it is not known either how many updates found no room on
their page, which no index is to blame for, and the confidence is low.

How to fix: if the index serves few queries, drop it in the model. Or move the column that changes to a table of its
own, or write it more seldom (not at each request). If its queries are worth it, ignore the finding with that reason.

Not reported: tables with fewer than 10,000 updates in the window, or half of them HOT; where half of the others found
no room on their page (fillfactor helps there); indexes that are unique, uphold a constraint, identify replicated rows,
are clustered on, or by which a foreign key is looked up, and columns that are in one of these too; BRIN from
PostgreSQL 16 on, which blocks nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.snapshot.amounts import format_count, listed
from dbops.snapshot.foreign_key_covers import ForeignKeyCovers
from dbops.snapshot.index_window import IndexWindow
from dbops.snapshot.query_indexes import query_indexes
from dbops.snapshot.update_targets import update_target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dbops.snapshot.activity_rows import StatementActivity, TableActivity, Window
    from dbops.snapshot.rows import Index, Server, Table
    from dbops.snapshot.schema import Schema

TAG = Tag.LIVE
#: From that version on BRIN indexes are left out when it is decided whether an update is HOT.
_BRIN_IS_HOT: Final = 16


def check(
    schema: Schema,
    server: tuple[Server, ...],
    window: tuple[Window, ...],
    table_activity: tuple[TableActivity, ...],
    statement_activity: tuple[StatementActivity, ...],
    *,
    least_updates: int = 10_000,  # fewer say nothing and cost little
    hot_ratio: float = 0.5,  # with so many HOT ones the table is well
    newpage_ratio: float = 0.5,  # of the others: from there on it is the room on the pages that lacks
    change_ratio: float = 0.5,  # of the updates have to set the column
    all_columns_ratio: float = 0.8,  # a statement that sets so many of the columns sets them whether they change or not
    many_updates: int = 1_000_000,  # from so many on that are not HOT it is a warning
) -> Iterator[Finding | Unseen]:
    if any(row.updates is None for row in table_activity):
        yield Unseen("indexes", "updates are counted on the primary alone: look there")
        return
    activity, covers = IndexWindow(schema, table_activity), ForeignKeyCovers(schema)
    statements = _updates(schema, statement_activity)
    has_hot_brin = server[0].major >= _BRIN_IS_HOT
    candidates: dict[int, list[Index]] = {}
    for index in query_indexes(schema):
        if not (has_hot_brin and index.method == "brin") and not covers.covers(index):
            candidates.setdefault(index.table_oid, []).append(index)
    for oid, indexes in candidates.items():
        table = schema.tables[oid]
        updates, cold = activity.total(table, "updates"), activity.cold_updates(table)
        newpage = activity.total(table, "newpage_updates")
        if not updates or cold is None or updates < least_updates or updates - cold >= hot_ratio * updates:
            continue
        if newpage is not None and newpage >= newpage_ratio * cold:
            continue
        held = {
            number
            for index in schema.indexes_of(oid)
            if index not in indexes and not (has_hot_brin and index.method == "brin")
            for number in index.columns
        }
        most = all_columns_ratio * len(_settable(schema, table))
        own = statements.get(oid, [])
        telling = [(columns, rows) for columns, rows in own if len(columns) < most]
        total = max(updates, sum(rows for _, rows in own))
        if sum(rows for _, rows in telling) < change_ratio * total:
            yield Unseen(table.qualified_name, "which columns most of its updates change is not known")
            continue
        for index in indexes:
            setting = [(columns & {*index.columns}, rows) for columns, rows in telling if not columns & held]
            counts = {
                number: sum(rows for columns, rows in setting if number in columns) / total for number in index.columns
            }
            often = {number: ratio for number, ratio in counts.items() if number and ratio >= change_ratio}
            if often:
                yield _finding(schema, index, often, updates, cold, newpage, window[0].hours, many_updates)


def _updates(schema: Schema, activity: Iterable[StatementActivity]) -> dict[int, list[tuple[set[int], int]]]:
    """Return the columns that each UPDATE sets and the rows it changed, by the topmost table."""
    found: dict[int, list[tuple[set[int], int]]] = {}
    for statement in activity:
        target = update_target(statement.text) if statement.text else None
        if target is None:
            continue
        table = schema.resolve(f'{target.schema}"."{target.table}' if target.schema else target.table)
        if table is not None:
            root = schema.root(table)
            columns = (schema.column_named(root.oid, name) for name in target.columns)
            numbers = {column.number for column in columns if column is not None}
            found.setdefault(root.oid, []).append((numbers, statement.rows))
    return found


def _settable(schema: Schema, table: Table) -> list[int]:
    """Return the columns that are not in the primary key and not generated."""
    keys = {number for index in schema.indexes_of(table.oid) if index.is_primary for number in index.keys}
    return [one.number for one in schema.columns_of(table.oid) if one.number not in keys and not one.generated]


def _finding(
    schema: Schema,
    index: Index,
    often: dict[int, float],
    updates: int,
    cold: int,
    newpage: int | None,
    hours: float,
    many_updates: int,
) -> Finding:
    names = listed(list(schema.column_names(index.table_oid, often)))
    table, ratio = schema.tables[index.table_oid].qualified_name, max(often.values())
    evidence: dict[str, int | float | str] = {
        "updates": updates,
        "hot_updates": updates - cold,
        "set_ratio": round(ratio, 2),
        "window_hours": round(hours, 1),
    }
    if newpage is not None:
        evidence["newpage_updates"] = newpage
    return Finding(
        target=Target(Kind.INDEX, index.qualified_name),
        message=f"{(updates - cold) / updates:.0%} of {format_count(updates)} updates of {table} were HOT, and "
        f"{ratio:.0%} of all set {names}: where that changes the value, each writes to all indexes. An UPDATE "
        "that sets the same value does not.",
        severity=Severity.WARNING if cold >= many_updates else Severity.INFO,
        confidence=Confidence.LOW if newpage is None else Confidence.MEDIUM,
        basis=Basis.ESTIMATED,
        evidence=evidence,
        location=Location(
            table_oid=index.table_oid,
            columns=schema.column_names(index.table_oid, index.columns),
            index=index.name,
        ),
    )
