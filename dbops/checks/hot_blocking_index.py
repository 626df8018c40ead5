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

Not reported: tables with fewer than 10,000 updates in the window, or half of them HOT; BRIN from PostgreSQL 16 on,
which blocks nothing. cold_updates speaks, of the table, where half of the others found no room on their page
(fillfactor helps there), and where the index has to stay: one that is unique, upholds a constraint, identifies
replicated rows, is clustered on, or by which a foreign key is looked up, and columns that are in one of these too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.snapshot.amounts import format_count, listed
from dbops.snapshot.hot_blockers import HotBlockers
from dbops.snapshot.index_window import IndexWindow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dbops.snapshot.activity_rows import StatementActivity, TableActivity, Window
    from dbops.snapshot.rows import Index, Server
    from dbops.snapshot.schema import Schema

TAG = Tag.LIVE


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
    activity = IndexWindow(schema, table_activity)
    blockers = HotBlockers(schema, statement_activity, major=server[0].major, all_columns_ratio=all_columns_ratio)
    for oid in blockers.droppable():
        table = schema.tables[oid]
        updates, cold = activity.total(table, "updates"), activity.cold_updates(table)
        newpage = activity.total(table, "newpage_updates")
        if not updates or cold is None or updates < least_updates or updates - cold >= hot_ratio * updates:
            continue
        if newpage is not None and newpage >= newpage_ratio * cold:
            continue
        found = blockers.often_set(table, updates, change_ratio=change_ratio)
        if found is None:
            yield Unseen(table.qualified_name, "which columns most of its updates change is not known")
        for index, often in found or ():
            yield _finding(schema, index, often, updates, cold, newpage, window[0].hours, many_updates)


def _finding(
    schema: Schema,
    index: Index,
    often: Mapping[int, float],
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
