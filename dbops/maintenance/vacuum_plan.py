"""Which tables VACUUM and ANALYZE have to work at, by the rules that autovacuum goes by."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from dbops.errors import DbopsError, UsageError
from dbops.findings.changes import Statements
from dbops.findings.vacuum_advice import Gauge, TableAdvice, VacuumPlan
from dbops.snapshot.autovacuum import Autovacuum, options_of
from dbops.snapshot.names import qualified
from dbops.snapshot.schema import REQUIRED, Schema
from dbops.snapshot.snapshot import Unavailable
from dbops.snapshot.vacuum_rows import HIDDEN_HOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Server, Table, TableStatistics
    from dbops.snapshot.snapshot import Snapshot
    from dbops.snapshot.vacuum_rows import HorizonHolder, RunningVacuum, ToastTable

#: What the plan is made of: it needs the first of these, and can do without the second.
NEEDS: Final = (*REQUIRED, "settings", "table_statistics")
USES: Final = ("relation_sizes", "toast_tables", "running_vacuums", "horizon_holders")

_UNKNOWN_BYTES: Final = 1024**2
#: Fewer rows than these are planned well enough by a guess.
_MANY_ROWS: Final = 10_000
#: From this many rows on, a fifth of them is too much to wait for; by how many rows, what to wait for instead.
_FACTORS: Final = ((100_000_000, "0.005"), (10_000_000, "0.01"), (1_000_000, "0.02"))
#: A server's own scale factor below this was chosen with care.
_COARSE_FACTOR: Final = 0.1
_FACTOR: Final = "autovacuum_vacuum_scale_factor"


@dataclass(frozen=True, slots=True)
class Right:
    """Whether the role that looks may VACUUM and ANALYZE a table, and whose it is."""

    may: bool
    owner: str


def plan_of(
    snapshot: Snapshot,
    schema: Schema,
    *,
    rights: Mapping[int, Right] | None = None,
    chosen: AbstractSet[int] | None = None,
    show_all: bool = False,
) -> VacuumPlan:
    """Return what there is to do, worst first; tables of extensions are looked at only when they are chosen.

    `rights` are by table, None where they could not be read. `chosen` are the tables (by oid) to look at, with all
    their partitions; they are shown even with nothing to do, as all are with `show_all`.

    Raises:
        DbopsError: what the plan needs could not be seen.
    """
    facts = _Facts.of(snapshot, schema, rights)
    tables = [
        advice
        for root in schema.tables.values()
        if not root.is_partition and (root.extension is None or root.oid in (chosen or ()))
        for advice in facts.advise(root)
        if chosen is None or not chosen.isdisjoint(_line(schema, advice.oid))
    ]
    tables.sort(key=_badness, reverse=True)
    is_shown = show_all or chosen is not None
    shown = tuple(table for table in tables if is_shown or table.action or table.tuning or _is_busy(table))
    return VacuumPlan(
        alias=snapshot.alias,
        database=snapshot.database,
        server_version=facts.server.version,
        taken_at=snapshot.taken_at,
        tables=shown,
        quiet_count=len(tables) - len(shown),
        holders=facts.holders,
        unseen=tuple(facts.unseen()),
    )


def find_table(schema: Schema, name: str) -> Table:
    """Return the table that somebody calls `name`: as SQL, or as it is, qualified or along the search path.

    Raises:
        UsageError: there is none.
    """
    known = {table.qualified_name: table for table in schema.tables.values()}
    if name in known:
        return known[name]
    for table in schema.tables.values():
        if name == f"{table.schema}.{table.name}":
            return table
    found = schema.resolve(name)
    if found is not None:
        return found
    near = get_close_matches(name, [*known, *(table.name for table in known.values())], n=1, cutoff=0.5)
    message = f"there is no table {name!r}, neither as it is nor on the search path"
    raise UsageError(message, hint=f"did you mean {near[0]}?" if near else "manage.py dbvacuum --all shows every table")


@dataclass(frozen=True, slots=True)
class _Facts:
    """The sections of a look, by what they are asked for."""

    snapshot: Snapshot
    schema: Schema
    server: Server
    autovacuum: Autovacuum
    statistics: Mapping[int, TableStatistics]
    toasts: Mapping[int, ToastTable]
    running: tuple[RunningVacuum, ...]
    holders: tuple[HorizonHolder, ...]
    rights: Mapping[int, Right] | None

    @classmethod
    def of(cls, snapshot: Snapshot, schema: Schema, rights: Mapping[int, Right] | None) -> _Facts:
        for name in NEEDS:
            section = snapshot.section(name)
            if isinstance(section, Unavailable):
                message = f"cannot tell what VACUUM has to do in {snapshot.alias or snapshot.database}: "
                raise DbopsError(message + section.reason)
        given: dict[str, tuple[Any, ...]] = {}
        for name in (*NEEDS, *USES):
            section = snapshot.section(name)
            given[name] = () if isinstance(section, Unavailable) else section
        server: Server = given["server"][0]
        return cls(
            snapshot,
            schema,
            server,
            Autovacuum.of(given["settings"]),
            {row.oid: row for row in given["table_statistics"]},
            {toast.table_oid: toast for toast in given["toast_tables"]},
            given["running_vacuums"],
            tuple(holder for holder in given["horizon_holders"] if holder.holds_tables_of(server.database)),
            rights,
        )

    def unseen(self) -> Iterator[str]:
        """Iterate over what could not be looked at, a line each."""
        for name in USES:
            section = self.snapshot.section(name)
            if isinstance(section, Unavailable):
                yield f"{name.replace('_', ' ')}: {section.reason}"
        if any(holder.is_hidden for holder in self.holders):
            yield HIDDEN_HOLDERS
        if self.rights is None:
            yield "whether this role may VACUUM the tables could not be read"
        if any(
            setting.name == "track_counts" and setting.value == "off" for setting in self.autovacuum.settings.values()
        ):
            yield "track_counts is off: nobody counts dead rows, and autovacuum does not come"

    def advise(self, root: Table) -> Iterator[TableAdvice]:
        """Iterate over a table, or a partitioned table's partitions and then itself as a whole."""
        leaves = [table for table in self.schema.leaves(root) if table.persistence != "t"]
        for table in leaves:
            row = self.statistics.get(table.oid)
            if row is not None:
                yield self._of_table(table, row, root)
        if root.kind == "p":
            yield self._of_whole(root)

    def _of_table(self, table: Table, row: TableStatistics, root: Table) -> TableAdvice:
        autovacuum, estimate = self.autovacuum, table.row_estimate
        toast = self.toasts.get(table.oid)
        dead = Gauge(row.dead_rows, autovacuum.vacuum_trigger(estimate, table.options))
        dead_toast = None
        if toast is not None:
            trigger = autovacuum.vacuum_trigger(toast.row_estimate, toast.options or table.options)
            dead_toast = Gauge(toast.dead_rows, trigger)
        inserts = Gauge(row.inserts_since_vacuum, autovacuum.insert_trigger(estimate, table.options))
        changes = Gauge(row.changes_since_analyze, autovacuum.analyze_trigger(estimate, table.options))
        size_bytes = self.schema.size_bytes(table.oid)
        is_vacuumed_now = any(vacuum.table_oid == table.oid for vacuum in self.running)
        is_unknown = estimate is None and row.analyzed_at is None and row.autoanalyzed_at is None
        needs_vacuum = dead.is_due or inserts.is_due or (dead_toast is not None and dead_toast.is_due)
        needs_analyze = changes.is_due or (is_unknown and (size_bytes or 0) >= _UNKNOWN_BYTES)
        needs_vacuum, needs_analyze = needs_vacuum and not is_vacuumed_now, needs_analyze and not is_vacuumed_now
        words = {(True, True): "VACUUM (ANALYZE)", (True, False): "VACUUM", (False, True): "ANALYZE"}
        command = words.get((needs_vacuum, needs_analyze))
        return TableAdvice(
            oid=table.oid,
            name=table.qualified_name,
            root=None if table is root else root.qualified_name,
            rows=max(row.live_rows, estimate or 0) if row.live_rows or estimate is not None else None,
            size_bytes=size_bytes,
            dead=dead,
            toast=dead_toast,
            inserts=inserts,
            changes=changes,
            vacuumed_at=row.vacuumed_at,
            autovacuumed_at=row.autovacuumed_at,
            analyzed_at=row.analyzed_at,
            autoanalyzed_at=row.autoanalyzed_at,
            is_vacuumed_now=is_vacuumed_now,
            hindrance=autovacuum.hindrance(table.options, self.running),
            held_by=next((holder for holder in self.holders if row.dead_rows and _held(holder, row)), None),
            needs_vacuum=needs_vacuum,
            needs_analyze=needs_analyze,
            statement=f"{command} {table.qualified_name}" if command else None,
            obstacle=self._obstacle(table) if command else None,
            tuning=self._tuning(table, dead.trigger),
        )

    def _of_whole(self, root: Table) -> TableAdvice:
        """What the planner knows of a partitioned table itself: only ANALYZE by hand ever tells it."""
        row = self.statistics.get(root.oid)
        rows = 0
        for leaf in self.schema.leaves(root):
            counted = self.statistics.get(leaf.oid)
            rows += max(leaf.row_estimate or 0, counted.live_rows if counted else 0)
        analyzed = root.row_estimate
        trigger = self.autovacuum.analyze_trigger(analyzed, ())
        changes = abs(rows - (analyzed or 0))
        is_due = rows >= _MANY_ROWS and (analyzed is None or changes > trigger)
        only = "ONLY " if self.server.major >= 18 else ""
        return TableAdvice(
            oid=root.oid,
            name=root.qualified_name,
            is_whole=True,
            rows=rows,
            size_bytes=self.schema.size_bytes(root.oid),
            dead=Gauge(0, None),
            inserts=Gauge(0, None),
            changes=Gauge(changes, trigger),
            analyzed_at=row.analyzed_at if row else None,
            hindrance="it analyzes partitions alone",
            needs_analyze=is_due,
            statement=f"ANALYZE {only}{root.qualified_name}" if is_due else None,
            obstacle=self._obstacle(root) if is_due else None,
        )

    def _obstacle(self, table: Table) -> str | None:
        """Return why this role may not do it, and what it takes."""
        right = (self.rights or {}).get(table.oid)
        if right is None or right.may:
            return None
        role, owner = qualified(self.server.role), qualified(right.owner)
        if self.server.major >= 17:
            grant = f"GRANT MAINTAIN ON {table.qualified_name} TO {role} (pg_maintain is for all tables)"
        else:
            grant = f"before PostgreSQL 17 only its owner may: GRANT {owner} TO {role}"
        return f"{role} may not VACUUM or ANALYZE it, which belongs to {owner}: {grant}"

    def _tuning(self, table: Table, trigger: int | None) -> Fix | None:
        """Return a smaller scale factor for a large table that goes by the server's coarse one."""
        rows = table.row_estimate or 0
        setting = self.autovacuum.settings.get(_FACTOR)
        factor = next((factor for least, factor in _FACTORS if rows >= least), None)
        if factor is None or setting is None or _FACTOR in options_of(table.options):
            return None
        served = float(setting.value or 0)
        # What has a lower trigger than the factor makes is capped, by PostgreSQL 18 or by the table's own options.
        if served < _COARSE_FACTOR or (trigger or 0) < served * rows:
            return None
        change = Statements(
            sql=(f"ALTER TABLE {table.qualified_name} SET ({_FACTOR} = {factor});",),
            undo=(f"ALTER TABLE {table.qualified_name} RESET ({_FACTOR});",),
        )
        return change.fix()


def _line(schema: Schema, oid: int) -> Iterator[int]:
    """Iterate over a table and all that it is a partition of."""
    table: Table | None = schema.tables[oid]
    while table is not None:
        yield table.oid
        parent = table.parent_oid if table.is_partition else None
        table = schema.tables.get(parent) if parent is not None else None


def _held(holder: HorizonHolder, row: TableStatistics) -> bool:
    """Return whether the last vacuum of a table ran in vain, as what `holder` holds was there before it."""
    ended = [moment for moment in (row.vacuumed_at, row.autovacuumed_at) if moment is not None]
    return bool(ended) and holder.held_since is not None and holder.held_since < max(ended)


def _is_busy(table: TableAdvice) -> bool:
    return table.is_vacuumed_now or table.held_by is not None


def _badness(table: TableAdvice) -> tuple[bool, bool, int, float]:
    dead = table.dead.changes + (table.toast.changes if table.toast else 0)
    return table.needs_vacuum, table.needs_analyze, dead, max(table.inserts.fill or 0, table.changes.fill or 0)
