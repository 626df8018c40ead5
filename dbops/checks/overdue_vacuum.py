"""A table with many more dead rows than autovacuum should have let gather.

A dead row is what an UPDATE or DELETE leaves behind. It takes its room in the table, each index still leads to it, and
every scan reads it in vain, until VACUUM makes the room free for new rows. Autovacuum does that when the dead rows are
more than autovacuum_vacuum_threshold plus autovacuum_vacuum_scale_factor of the rows (from PostgreSQL 18 on, at most
autovacuum_vacuum_max_threshold), by the table's own options where it has any. When they are far more, either it is
kept from coming, or it came and could not remove them, because some old transaction might still look at them.

How to fix:

VACUUM the table; reads and writes go on meanwhile. It must be the table's owner or a superuser who does it (from
PostgreSQL 17 on, MAINTAIN or pg_maintain will do), outside a transaction. Then see to the cause: autovacuum that is
off, an old transaction or replication slot that has to end first, workers that are all busy (autovacuum_max_workers,
autovacuum_vacuum_cost_delay), or jobs whose LOCK or ALTER TABLE cancel autovacuum again and again.

VACUUM keeps the file as large as it was, for the rows to come.

Not reported: tables that are being vacuumed, tables of extensions. Where nothing is known to hinder autovacuum, many
dead rows are only mentioned, as it comes by itself within minutes, unless they are too many for that. Rows that were
inserted since the last vacuum are mentioned when something hinders it. A partition's finding is its topmost table's.

A session is named as the cause when its snapshot is older than the last vacuum, or as old as there are dead rows; a
long transaction alone is none, for at READ COMMITTED every statement takes a new snapshot. Workers count as busy only
where this role may see (with pg_monitor) that a vacuum is autovacuum's and nobody's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.snapshot.amounts import format_bytes, format_count, plural
from dbops.snapshot.autovacuum import Autovacuum
from dbops.snapshot.vacuum_rows import HIDDEN_HOLDERS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Server, Table, TableStatistics
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.setting_rows import Setting
    from dbops.snapshot.vacuum_rows import HorizonHolder, RunningVacuum, ToastTable

TAG = Tag.LIVE
FOR_HEALTH = True

#: From this size on, reading a table takes more than a moment.
_LARGE_BYTES: Final = 1024**3
_HIDDEN_WORKERS: Final = "this role may not see whether autovacuum's workers are all busy: GRANT pg_monitor TO it"


@dataclass(frozen=True, slots=True)
class _Heap:
    """What gathers in a table, or in its TOAST table, above how many rows autovacuum comes for it, and what hinders it.

    A TOAST table goes by its own options (`toast.…`), and by the table's where it has none at all.
    """

    table: Table
    is_toast: bool
    live_rows: int
    dead_rows: int
    trigger: int
    hindrance: str | None


@dataclass(frozen=True, slots=True)
class _Overdue:
    """A heap that autovacuum should have come to: why it has not, as far as is known."""

    heap: _Heap
    holder: HorizonHolder | None
    is_stuck: bool

    @property
    def cause(self) -> str | None:
        if self.heap.hindrance is None and self.holder is not None:
            return f"cannot remove what {self.holder} may still look at"
        return self.heap.hindrance

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self.cause or self.is_stuck else Severity.INFO

    @property
    def confidence(self) -> Confidence:
        if self.heap.hindrance:
            return Confidence.HIGH
        return Confidence.MEDIUM if self.cause or self.is_stuck else Confidence.LOW


def check(
    schema: Schema,
    server: tuple[Server, ...],
    settings: tuple[Setting, ...],
    table_statistics: tuple[TableStatistics, ...],
    toast_tables: tuple[ToastTable, ...] | None = None,
    running_vacuums: tuple[RunningVacuum, ...] | None = None,
    horizon_holders: tuple[HorizonHolder, ...] | None = None,
    *,
    overdue_ratio: float = 1.5,  # of what autovacuum waits for
    dead_rows: int = 10_000,  # fewer are soon read past, and a small table's trigger is soon passed
    stuck_ratio: float = 10.0,  # what gathers within the minute that autovacuum takes to come is less
    held_xids: int = 1_000_000,  # from this age on, a slot or a standby is taken for what holds dead rows
) -> Iterator[Finding | Unseen]:
    autovacuum, running = Autovacuum.of(settings), running_vacuums or ()
    statistics = {row.oid: row for row in table_statistics}
    toasts = {toast.table_oid: toast for toast in toast_tables or ()}
    holders = [holder for holder in horizon_holders or () if holder.holds_tables_of(server[0].database)]
    vacuumed_now = {vacuum.table_oid for vacuum in running}
    hidden = _hidden(autovacuum, running, holders)
    for root in schema.roots():
        overdue: list[_Overdue] = []
        inserted: list[tuple[Table, int, str]] = []
        for table in schema.leaves(root):
            row = statistics.get(table.oid)
            if row is None or table.oid in vacuumed_now:
                continue
            toast = toasts.get(table.oid)
            if max(row.dead_rows, row.inserts_since_vacuum, toast.dead_rows if toast else 0) < dead_rows:
                continue
            heaps = tuple(_heaps(autovacuum, running, table, row, toast))
            found = [
                _Overdue(
                    heap,
                    next((one for one in holders if _holds(one, row, heap.dead_rows, held_xids)), None),
                    heap.dead_rows >= stuck_ratio * max(heap.trigger, dead_rows),
                )
                for heap in heaps
                if heap.dead_rows >= max(overdue_ratio * heap.trigger, dead_rows)
            ]
            overdue += found
            hindrance = heaps[0].hindrance
            trigger = autovacuum.insert_trigger(table.row_estimate, table.options)
            due = None if trigger is None else max(overdue_ratio * trigger, dead_rows)
            if hindrance and not found and due is not None and row.inserts_since_vacuum >= due:
                inserted.append((table, row.inserts_since_vacuum, hindrance))
        if overdue:
            yield _finding(schema, root, overdue)
            if not any(one.cause for one in overdue):
                yield from (Unseen(root.qualified_name, reason) for reason in hidden)
        elif inserted:
            yield _finding_of_inserts(schema, root, inserted)


def _hidden(
    autovacuum: Autovacuum, running: Sequence[RunningVacuum], holders: Sequence[HorizonHolder]
) -> Sequence[str]:
    """Return which causes there may be that this role may not see."""
    are_holders_hidden = any(holder.is_hidden for holder in holders)
    may_be_busy = sum(vacuum.is_autovacuum is None for vacuum in running) >= autovacuum.workers
    return [*([HIDDEN_HOLDERS] if are_holders_hidden else []), *([_HIDDEN_WORKERS] if may_be_busy else [])]


def _heaps(
    autovacuum: Autovacuum,
    running: Sequence[RunningVacuum],
    table: Table,
    row: TableStatistics,
    toast: ToastTable | None,
) -> Iterator[_Heap]:
    """The table first."""
    yield _Heap(
        table,
        is_toast=False,
        live_rows=row.live_rows,
        dead_rows=row.dead_rows,
        trigger=autovacuum.vacuum_trigger(table.row_estimate, table.options),
        hindrance=autovacuum.hindrance(table.options, running),
    )
    if toast is not None:
        options = toast.options or table.options
        yield _Heap(
            table,
            is_toast=True,
            live_rows=toast.live_rows,
            dead_rows=toast.dead_rows,
            trigger=autovacuum.vacuum_trigger(toast.row_estimate, options),
            hindrance=autovacuum.hindrance(options, running, what="its TOAST table"),
        )


def _holds(holder: HorizonHolder, row: TableStatistics, dead_rows: int, held_xids: int) -> bool:
    """Return whether the last vacuum of a table ran in vain, as what `holder` holds was there before it.

    Where the transaction was there before and its snapshot may be younger, it is held to have kept `dead_rows` when as
    many transactions have begun since the snapshot.
    """
    ended = [moment for moment in (row.vacuumed_at, row.autovacuumed_at) if moment is not None]
    if not ended:
        return False
    if holder.started_at is None or holder.held_since is None:
        return holder.xid_age >= held_xids
    if holder.held_since < max(ended):
        return True
    return holder.started_at < max(ended) and holder.xid_age >= min(dead_rows, held_xids)


def _finding(schema: Schema, root: Table, overdue: Sequence[_Overdue]) -> Finding:
    worst = max(overdue, key=lambda one: (one.severity.rank, one.heap.dead_rows))
    tables = list(dict.fromkeys(one.heap.table for one in overdue))
    holders = dict.fromkeys(str(one.holder) for one in overdue if one.holder)
    heaps = [one.heap for one in overdue]
    dead, live = sum(heap.dead_rows for heap in heaps), sum(heap.live_rows for heap in heaps)
    trigger = sum(heap.trigger for heap in heaps)
    return Finding(
        target=Target(Kind.TABLE, root.qualified_name),
        message=_message(root, overdue, worst, (dead, live, trigger)),
        severity=worst.severity,
        confidence=worst.confidence,
        basis=Basis.MEASURED,
        evidence={"dead_rows": dead, "rows": live, "trigger_rows": trigger, **_size(schema, tables)},
        fix=_fix(schema, tables, holders),
        location=Location(table_oid=root.oid),
        rolled_up=tuple(table.qualified_name for table in tables if table is not root),
    )


def _message(root: Table, overdue: Sequence[_Overdue], worst: _Overdue, numbers: tuple[int, int, int]) -> str:
    dead, live, trigger = map(format_count, numbers)
    toast = [one for one in overdue if one.heap.is_toast]
    place = " in its TOAST table" if len(toast) == len(overdue) else ""
    if root.kind == "p":
        place = f" in {plural(len({one.heap.table.oid for one in overdue}), 'partition')}"
    elif toast and not place:
        place = f" ({format_count(sum(one.heap.dead_rows for one in toast))} of them in its TOAST table)"
    if worst.cause:
        ending = f"but {worst.cause}"
    elif worst.is_stuck:
        ending = "yet has not, and nothing to be seen explains it: LOCK and ALTER TABLE cancel it, say"
    else:
        ending = "and has not come yet, which is as it should be for some minutes after many changes"
    return f"{dead} dead rows beside {live} live ones{place}: autovacuum comes at {trigger}, {ending}."


def _finding_of_inserts(schema: Schema, root: Table, inserted: Sequence[tuple[Table, int, str]]) -> Finding:
    tables, total, hindrance = [one[0] for one in inserted], sum(one[1] for one in inserted), inserted[0][2]
    return Finding(
        target=Target(Kind.TABLE, root.qualified_name),
        message=(
            f"{format_count(total)} rows were inserted since the last vacuum. Autovacuum would come for them, but "
            f"{hindrance}: until then index-only scans look each of them up in the table."
        ),
        severity=Severity.INFO,
        basis=Basis.MEASURED,
        evidence={"inserts_since_vacuum": total, **_size(schema, tables)},
        fix=_fix(schema, tables, ()),
        location=Location(table_oid=root.oid),
        rolled_up=tuple(table.qualified_name for table in tables if table is not root),
    )


def _size(schema: Schema, tables: Sequence[Table]) -> dict[str, int]:
    sizes = [size for table in tables if (size := schema.size_bytes(table.oid)) is not None]
    return {"size_bytes": sum(sizes)} if len(sizes) == len(tables) else {}


def _fix(schema: Schema, tables: Sequence[Table], holders: Collection[str]) -> Fix:
    notes = [f"removes little until {holder} has ended" for holder in holders]
    size_bytes = _size(schema, tables).get("size_bytes", 0)
    if size_bytes >= _LARGE_BYTES:
        notes.append(f"works through {format_bytes(size_bytes)} and the indexes, beside reads and writes")
    vacuum = Statements(sql=tuple(f"VACUUM {table.qualified_name};" for table in tables), in_transaction=False)
    return vacuum.fix(caution="; ".join(notes) or None)
