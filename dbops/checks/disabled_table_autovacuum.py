"""A table that autovacuum was told to leave alone.

Autovacuum then neither takes the table's dead rows away nor refreshes its statistics, while the settings of the server
say that all is well. The table and its indexes grow, its plans get worse, and only when its transaction ids run out
does the server vacuum it all the same, in one go. The option usually stems from a big import, or from a day when
autovacuum was in the way, and stays because nothing shows it.

How to fix:

ALTER TABLE … RESET (autovacuum_enabled) needs no lock that would stop reads or writes; autovacuum then comes by itself.
Where it came too often, or worked too long, set autovacuum_vacuum_scale_factor or autovacuum_vacuum_cost_delay of the
table instead.

A table that a job empties and fills anew, and then vacuums and analyzes itself, may well do without: say so in the
settings, under IGNORE, with the reason.

Not reported: tables of extensions. A table with few rows is only mentioned. A partition's finding is its topmost
table's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbops.findings.changes import Statements
from dbops.findings.finding import Finding, Kind, Location, Severity, Tag, Target
from dbops.snapshot.amounts import format_count, plural
from dbops.snapshot.autovacuum import is_switched_off, options_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Table, TableStatistics
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.vacuum_rows import ToastTable

TAG = Tag.STRUCTURAL


@dataclass(frozen=True, slots=True)
class _Excluded:
    """A table whose rows, or whose TOAST table's, autovacuum leaves alone: by which options, as they were written."""

    table: Table
    options: Mapping[str, str]

    @property
    def is_toast_alone(self) -> bool:
        return "autovacuum_enabled" not in self.options

    @property
    def reset(self) -> str:
        return f"ALTER TABLE {self.table.qualified_name} RESET ({', '.join(self.options)});"

    @property
    def set(self) -> str:
        options = ", ".join(f"{name} = {value}" for name, value in self.options.items())
        return f"ALTER TABLE {self.table.qualified_name} SET ({options});"


def check(
    schema: Schema,
    table_statistics: tuple[TableStatistics, ...] | None = None,
    toast_tables: tuple[ToastTable, ...] | None = None,
    *,
    many_rows: int = 10_000,  # a smaller table is quickly read whole, whatever lies in it
) -> Iterator[Finding]:
    statistics = {row.oid: row for row in table_statistics or ()}
    toasts = {toast.table_oid: toast for toast in toast_tables or ()}
    for table in schema.roots():
        excluded = [one for leaf in schema.leaves(table) if (one := _excluded(leaf, toasts.get(leaf.oid))).options]
        if not excluded:
            continue
        counters = [statistics.get(one.table.oid) for one in excluded]
        rows = _rows(excluded, counters)
        evidence = {"rows": rows, "dead_rows": sum(row.dead_rows for row in counters if row) if any(counters) else None}
        yield Finding(
            target=Target(Kind.TABLE, table.qualified_name),
            message=_message(table, excluded, rows),
            severity=Severity.WARNING if rows is not None and rows > many_rows else Severity.INFO,
            evidence={name: number for name, number in evidence.items() if number is not None},
            fix=_fix(excluded),
            location=Location(table_oid=table.oid),
            rolled_up=tuple(one.table.qualified_name for one in excluded if one.table is not table),
        )


def _excluded(table: Table, toast: ToastTable | None) -> _Excluded:
    options = {}
    if is_switched_off(table.options):
        options["autovacuum_enabled"] = options_of(table.options)["autovacuum_enabled"]
    if toast is not None and is_switched_off(toast.options):
        options["toast.autovacuum_enabled"] = options_of(toast.options)["autovacuum_enabled"]
    return _Excluded(table, options)


def _rows(excluded: Sequence[_Excluded], counters: Sequence[TableStatistics | None]) -> int | None:
    """Return how many rows there are, by the greater of the counters and ANALYZE's estimate; either may be lost."""
    rows = 0
    for one, row in zip(excluded, counters, strict=True):
        known = [number for number in (one.table.row_estimate, row.live_rows if row else None) if number is not None]
        if not known:
            return None
        rows += max(known)
    return rows


def _message(table: Table, excluded: Sequence[_Excluded], rows: int | None) -> str:
    where = f"{plural(len(excluded), 'partition')} of it" if table.kind == "p" else "this table"
    if all(one.is_toast_alone for one in excluded):
        return (
            f"Autovacuum is switched off for the TOAST table of {where}: "
            "what long values leave behind when they change is never taken away."
        )
    those = f" with {format_count(rows)} rows" if rows else ""
    return (
        f"Autovacuum is switched off for {where}{those}: dead rows stay, and the planner's statistics are as old as "
        "the last ANALYZE that somebody ran."
    )


def _fix(excluded: Sequence[_Excluded]) -> Fix:
    return Statements(sql=tuple(one.reset for one in excluded), undo=tuple(one.set for one in reversed(excluded))).fix()
