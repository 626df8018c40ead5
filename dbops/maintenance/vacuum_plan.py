"""Which tables VACUUM and ANALYZE have to work at, by the rules that autovacuum goes by, and which indexes REINDEX."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from dbops.errors import DbopsError, UsageError
from dbops.findings.vacuum_advice import Gauge, TableAdvice, TableBloat, Tuning, VacuumPlan
from dbops.maintenance.index_plan import index_advice
from dbops.snapshot.autovacuum import Autovacuum
from dbops.snapshot.bloat import FLOOR_BYTES, Bloat, Bloats
from dbops.snapshot.names import qualified
from dbops.snapshot.schema import REQUIRED, Schema
from dbops.snapshot.snapshot import Unavailable
from dbops.snapshot.vacuum_rows import HIDDEN_HOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from dbops.findings.finding import Finding
    from dbops.maintenance.rights import Right
    from dbops.snapshot.rows import Server, Table, TableStatistics
    from dbops.snapshot.snapshot import Snapshot
    from dbops.snapshot.vacuum_rows import HorizonHolder, RunningVacuum, ToastTable

#: What the plan is made of: it needs the first of these, and can do without the second.
NEEDS: Final = (*REQUIRED, "settings", "table_statistics")
USES: Final = ("relation_sizes", "toast_tables", "running_vacuums", "horizon_holders")

_UNKNOWN_BYTES: Final = 1024**2
#: Fewer rows than these are planned well enough by a guess.
_MANY_ROWS: Final = 10_000
#: What bloat is known by.
BLOAT: Final = ("relation_pages", "column_statistics", "bloat_measurements")
#: The checks that say which options of a table are wrong, which indexes are, and what is bloated.
TUNING_CHECKS: Final = ("disabled_table_autovacuum", "untuned_large_table")
INDEX_CHECKS: Final = ("invalid_index",)
BLOAT_CHECKS: Final = ("bloated_table", "bloated_index")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the checks found, without what is ignored, and what they could not see.

    `much_bloat` are the thresholds of bloated_table, None where bloat was not looked for.
    """

    findings: tuple[Finding, ...] = ()
    unseen: tuple[str, ...] = ()
    much_bloat: Mapping[str, Any] | None = None

    def of(self, *checks: str) -> Iterator[Finding]:
        """Iterate over what these checks found."""
        return (finding for finding in self.findings if finding.check in checks)


def plan_of(
    snapshot: Snapshot,
    schema: Schema,
    *,
    rights: Mapping[int, Right] | None = None,
    judgement: Judgement | None = None,
    chosen: AbstractSet[int] | None = None,
    show_all: bool = False,
    is_reindexing: bool = False,
) -> VacuumPlan:
    """Return what there is to do, worst first; tables of extensions are looked at only when they are chosen.

    `rights` are by table, None where they could not be read. `chosen` are the tables (by oid) to look at, with all
    their partitions; they are shown even with nothing to do, as all are with `show_all`. `is_reindexing` says that
    indexes are to be worked at, too.

    Raises:
        DbopsError: what the plan needs could not be seen.
    """
    judgement = judgement or Judgement()
    facts = _Facts.of(snapshot, schema, rights, judgement)
    tables = [
        advice
        for root in schema.tables.values()
        if not root.is_partition and (root.extension is None or root.oid in (chosen or ()))
        for advice in facts.advise(root)
        if chosen is None or not chosen.isdisjoint(_line(schema, advice.oid))
    ]
    tables.sort(key=_badness, reverse=True)
    is_shown = show_all or chosen is not None
    shown = tuple(table for table in tables if is_shown or table.action or table.tunings or _is_notable(table))
    return VacuumPlan(
        alias=snapshot.alias,
        database=snapshot.database,
        server_version=facts.server.version,
        taken_at=snapshot.taken_at,
        tables=shown,
        quiet_count=len(tables) - len(shown),
        indexes=tuple(
            index
            for index in index_advice(schema, facts.server, judgement.findings, rights or {}, facts.bloats)
            if chosen is None or not chosen.isdisjoint(_line(schema, index.table_oid))
        ),
        has_bloat=judgement.much_bloat is not None,
        is_reindexing=is_reindexing,
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
    bloats: Bloats | None
    much_bloat: Mapping[str, Any]
    unjudged: tuple[str, ...]
    tunings: Mapping[int, tuple[Tuning, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, snapshot: Snapshot, schema: Schema, rights: Mapping[int, Right] | None, judgement: Judgement) -> _Facts:
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
            _bloats(snapshot, schema) if judgement.much_bloat is not None else None,
            judgement.much_bloat or {},
            judgement.unseen,
            _tunings(schema, judgement),
        )

    def unseen(self) -> Iterator[str]:
        """Iterate over what could not be looked at, a line each."""
        for name in USES:
            section = self.snapshot.section(name)
            if isinstance(section, Unavailable):
                yield f"{name.replace('_', ' ')}: {section.reason}"
        yield from self.unjudged
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
            tunings=self.tunings.get(table.oid, ()),
            bloat=tuple(self._bloat(table)),
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
            tunings=self.tunings.get(root.oid, ()),
        )

    def _bloat(self, table: Table) -> Iterator[TableBloat]:
        if self.bloats is None:
            return
        for bloat, is_toast in self.bloats.of_table(table, FLOOR_BYTES):
            is_much = isinstance(bloat, Bloat) and bloat.exceeds(**self.much_bloat)
            yield TableBloat(bloat, is_toast, is_much)

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


def _bloats(snapshot: Snapshot, schema: Schema) -> Bloats | None:
    """Return what is known of bloat; None where that is nothing."""
    pages, statistics, measurements = (snapshot.section(name) for name in BLOAT)
    if isinstance(pages, Unavailable) or isinstance(statistics, Unavailable):
        return None
    return Bloats(schema, pages, statistics, None if isinstance(measurements, Unavailable) else measurements)


def _tunings(schema: Schema, judgement: Judgement) -> dict[int, tuple[Tuning, ...]]:
    """Return what the checks advise for options, by table: one partition's is its own, several are the root's."""
    tables = {table.qualified_name: table.oid for table in schema.tables.values()}
    found: dict[int, tuple[Tuning, ...]] = {}
    for finding in judgement.of(*TUNING_CHECKS):
        oid = tables.get(finding.rolled_up[0] if len(finding.rolled_up) == 1 else finding.target.name)
        if oid is not None and finding.fix is not None:
            found[oid] = (*found.get(oid, ()), Tuning(finding.check, finding.message, finding.fix))
    return found


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


def _is_notable(table: TableAdvice) -> bool:
    return table.is_vacuumed_now or table.held_by is not None or any(one.is_much for one in table.bloat)


def _badness(table: TableAdvice) -> tuple[bool, bool, int, float]:
    dead = table.dead.changes + (table.toast.changes if table.toast else 0)
    return table.needs_vacuum, table.needs_analyze, dead, max(table.inserts.fill or 0, table.changes.fill or 0)
