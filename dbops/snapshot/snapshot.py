"""What was seen of one database at one moment: frozen rows by section, or why a section could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003  read at run time by the codec
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dbops.snapshot import (
    activity_rows,
    counter_rows,
    declared_rows,
    django_rows,
    integrity_rows,
    key_rows,
    migration_rows,
    relation_rows,
    replication_rows,
    rows,
    security_rows,
    session_rows,
    setting_rows,
    storage_rows,
    vacuum_rows,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Every section and the class of its rows.
SECTIONS: Final[Mapping[str, type[Any]]] = {
    "server": rows.Server,
    "locked_relations": rows.LockedRelation,
    "tables": rows.Table,
    "columns": rows.Column,
    "indexes": rows.Index,
    "constraints": rows.Constraint,
    "sequences": rows.Sequence,
    "sequence_values": rows.SequenceValue,
    "sequence_keys": rows.SequenceKey,
    "relation_sizes": rows.RelationSize,
    "table_statistics": rows.TableStatistics,
    "index_statistics": rows.IndexStatistics,
    "django_settings": rows.DjangoSettings,
    "generic_relations": rows.GenericRelation,
    "settings": setting_rows.Setting,
    "migrations": migration_rows.Migration,
    "applied_migrations": migration_rows.AppliedMigration,
    "sessions": session_rows.Session,
    "connection_limits": session_rows.ConnectionLimit,
    "session_security": security_rows.SessionSecurity,
    "reachable_roles": security_rows.ReachableRole,
    "schema_grants": security_rows.SchemaGrants,
    "definer_functions": security_rows.DefinerFunction,
    "row_security": security_rows.RowSecurity,
    "policies": security_rows.Policy,
    "host_rules": security_rows.HostRule,
    "role_passwords": security_rows.RolePassword,
    "django_databases": django_rows.DjangoDatabase,
    "checksum_failures": integrity_rows.ChecksumFailures,
    "collations": integrity_rows.Collation,
    "pooling": session_rows.Pooling,
    "toast_tables": vacuum_rows.ToastTable,
    "running_vacuums": vacuum_rows.RunningVacuum,
    "horizon_holders": vacuum_rows.HorizonHolder,
    "database_ages": vacuum_rows.DatabaseAge,
    "table_ages": vacuum_rows.TableAge,
    "key_ranges": key_rows.KeyRange,
    "loose_relations": relation_rows.LooseRelation,
    "orphan_samples": relation_rows.OrphanSample,
    "declared_tables": declared_rows.DeclaredTable,
    "declared_columns": declared_rows.DeclaredColumn,
    "declared_indexes": declared_rows.DeclaredIndex,
    "declared_constraints": declared_rows.DeclaredConstraint,
    "declared_triggers": declared_rows.DeclaredTrigger,
    "column_expressions": declared_rows.ColumnExpression,
    "triggers": declared_rows.Trigger,
    "other_relations": declared_rows.OtherRelation,
    "normal_forms": declared_rows.NormalForm,
    "column_statistics": storage_rows.ColumnStatistics,
    "relation_pages": storage_rows.RelationPages,
    "bloat_measurements": storage_rows.BloatMeasurement,
    "database_size": rows.DatabaseSize,
    "subscribed_tables": replication_rows.SubscribedTable,
    "statistics_epoch": counter_rows.StatisticsEpoch,
    "database_statistics": counter_rows.DatabaseStatistics,
    "statement_tracking": counter_rows.StatementTracking,
    "statement_counters": counter_rows.StatementCounters,
    "statement_texts": counter_rows.StatementText,
    "disk_space": counter_rows.DiskSpace,
    "window": activity_rows.Window,
    "table_activity": activity_rows.TableActivity,
    "index_activity": activity_rows.IndexActivity,
    "database_activity": activity_rows.DatabaseActivity,
    "index_uses": activity_rows.IndexUse,
    "index_servers": activity_rows.IndexServer,
    "statement_window": activity_rows.Window,
    "statement_activity": activity_rows.StatementActivity,
    "earlier_statement_window": activity_rows.Window,
    "earlier_statement_activity": activity_rows.StatementActivity,
    "growth": activity_rows.Growth,
}


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A section that could not be read, and why: one line, lower case, naming the remedy where there is one."""

    reason: str


Section: TypeAlias = tuple[Any, ...] | Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One look at one database.

    `alias` is Django's name for it, None for a bare DSN. A section that is absent was not asked for.
    `interrupted` says why the look ended early, when it did.
    """

    alias: str | None
    database: str
    taken_at: datetime
    duration_ms: int
    sections: Mapping[str, Section] = field(default_factory=dict)
    interrupted: str | None = None

    def section(self, name: str) -> Section:
        """Return the rows of section `name`, or why there are none.

        Raises:
            KeyError: there is no such section.
        """
        if name not in SECTIONS:
            raise KeyError(name)
        return self.sections.get(name, Unavailable(f"{name} was not collected"))

    @property
    def server(self) -> rows.Server | None:
        """The server's row, None when even that could not be read."""
        section = self.section("server")
        return None if isinstance(section, Unavailable) else section[0]
