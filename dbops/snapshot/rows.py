"""The rows of every section. A row class's fields are the columns of its section's SELECT list, by name.

`None` always means "not known": a statistic that could not be read is never replaced by a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  read at run time by the codec

from dbops.snapshot.names import qualified


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server and the session that looked; always exactly one row.

    `role` is whose rights the statements run with, `session_role` who logged in and has the settings: two roles where
    one is set on the way in (Django's assume_role). `provider` is a key of `dbops.snapshot.providers.PROVIDERS`, None
    where nothing gives a provider away.
    """

    version: str
    version_num: int
    database: str
    is_standby: bool
    role: str
    session_role: str
    is_superuser: bool
    is_monitor: bool
    search_path: tuple[str, ...]
    provider: str | None
    observed_at: datetime

    @property
    def major(self) -> int:
        return self.version_num // 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSize:
    """How large the database is on disk, all its files together; always exactly one row."""

    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedRelation:
    """A relation that somebody holds, or waits for, in AccessExclusive mode: reading it would block us."""

    oid: int
    schema: str
    name: str

    @property
    def qualified_name(self) -> str:
        return qualified(self.schema, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An ordinary table (`r`), partitioned table (`p`) or materialised view (`m`) outside the system schemas.

    `parent_oid` is a partition's; `has_children` is True of a table with partitions or with inheritance children.
    """

    oid: int
    schema: str
    name: str
    kind: str
    persistence: str
    is_partition: bool
    parent_oid: int | None
    has_children: bool
    owner: str
    row_estimate: int | None
    replica_identity: str
    options: tuple[str, ...]
    extension: str | None
    is_readable: bool

    @property
    def qualified_name(self) -> str:
        return qualified(self.schema, self.name)

    @property
    def own_rows(self) -> str:
        """The table in a FROM, without the rows of tables that inherit from it: no index of it knows those."""
        return f"ONLY {self.qualified_name}" if self.kind != "p" and self.has_children else self.qualified_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column that has not been dropped.

    `type` is what the column was declared with, length and all; `base_type` is the domain's underlying type, else the
    type itself, without length. `collation` is an oid, 0 where the type has none. The type of an inherited column, a
    partition's too, is the parent's to change; that of a column in the partition key (a plain one, or one that an
    expression there uses) cannot be changed at all. `held_by` says what has to go before any type can be changed, as
    the server describes it: `view public.tasks`, `trigger t on table public.task`.
    """

    table_oid: int
    number: int
    name: str
    type: str
    base_type: str
    collation: int
    is_not_null: bool
    identity: str
    generated: str
    is_inherited: bool
    is_partition_key: bool
    held_by: tuple[str, ...]
    is_readable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index. Tuples run over the key columns, then (in `columns` alone) the INCLUDE columns.

    `toast_of` is None but for an index of a TOAST table, of which only invalid ones are listed: the table whose it is.
    `columns` holds column numbers, 0 for an expression; `options` is pg_index.indoption (1 = DESC, 2 = NULLS FIRST).
    `predicate`, `expressions` and `definition` are None when the table was locked, though `is_partial` and
    `has_expressions` are always known. `is_being_built` is None where this session cannot tell.
    """

    oid: int
    table_oid: int
    toast_of: int | None
    schema: str
    name: str
    kind: str
    method: str
    columns: tuple[int, ...]
    key_count: int
    operator_classes: tuple[int, ...]
    collations: tuple[int, ...]
    options: tuple[int, ...]
    is_unique: bool
    nulls_not_distinct: bool
    is_primary: bool
    is_exclusion: bool
    is_immediate: bool
    is_clustered: bool
    is_replica_identity: bool
    is_valid: bool
    is_ready: bool
    is_live: bool
    is_partial: bool
    has_expressions: bool
    predicate: str | None
    expressions: str | None
    definition: str | None
    constraint_oid: int | None
    parent_oid: int | None
    is_being_built: bool | None

    @property
    def qualified_name(self) -> str:
        return qualified(self.schema, self.name)

    @property
    def keys(self) -> tuple[int, ...]:
        """The key columns, without those of INCLUDE."""
        return self.columns[: self.key_count]

    @property
    def included(self) -> tuple[int, ...]:
        """The INCLUDE columns."""
        return self.columns[self.key_count :]

    @property
    def sorts_all_by(self) -> int | None:
        """The column (0: an expression) whose smallest and largest value it gives without reading the table."""
        return self.columns[0] if self.method == "btree" and self.is_valid and not self.is_partial else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A table constraint: `p` primary key, `u` unique, `f` foreign key, `c` check, `x` exclusion, `n` not null.

    NOT NULL constraints (catalogued from PostgreSQL 18) are listed only when they are not validated.
    `on_delete` and `on_update` are pg_constraint's letters (`a` no action, `r` restrict, `c` cascade, `n` null,
    `d` default) or empty. `is_inherited` marks what a partition or an inheritance child has from its parent.
    """

    oid: int
    table_oid: int
    name: str
    type: str
    columns: tuple[int, ...]
    referenced_table_oid: int | None
    referenced_columns: tuple[int, ...]
    index_oid: int | None
    parent_oid: int | None
    is_inherited: bool
    is_validated: bool
    is_enforced: bool
    is_deferrable: bool
    is_deferred: bool
    on_delete: str
    on_update: str
    definition: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A sequence, the identity ones too. `used_by` lists (table oid, column number) of the columns it feeds."""

    oid: int
    schema: str
    name: str
    type: str
    start: int
    minimum: int
    maximum: int
    increment: int
    cycles: bool
    used_by: tuple[tuple[int, ...], ...]
    extension: str | None
    is_readable: bool

    @property
    def qualified_name(self) -> str:
        return qualified(self.schema, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceValue:
    """Where a sequence stands: `unseen` says why, when it could not be read.

    A standby sees it up to 32 values further than it is, as WAL carries it ahead (SEQ_LOG_VALS in PostgreSQL's source).
    """

    sequence_oid: int
    last_value: int | None
    is_called: bool | None
    unseen: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceKey:
    """The keys in a column that a sequence feeds, read in the snapshot that is older than the sequence's value.

    `extreme_key` is the largest key (the smallest, where the sequence counts down). `first_collision` is the first
    existing key at or after the sequence's next value that the sequence will really hand out, given its increment.
    Both None with `unseen` None: no rows, or no collision ahead.
    """

    sequence_oid: int
    table_oid: int
    column: int
    extreme_key: int | None
    first_collision: int | None
    unseen: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationSize:
    """Bytes on disk: of a table with its TOAST, of an index; None when it was locked or has just gone."""

    oid: int
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStatistics:
    """A table's counters since its statistics were last reset, and when it was last vacuumed and analyzed since.

    `newpage_updates` (of the updates, those whose new version went to another page) is None before PostgreSQL 16.
    """

    oid: int
    live_rows: int
    dead_rows: int
    inserts: int
    updates: int
    hot_updates: int
    deletes: int
    changes_since_analyze: int
    inserts_since_vacuum: int
    vacuumed_at: datetime | None
    autovacuumed_at: datetime | None
    analyzed_at: datetime | None
    autoanalyzed_at: datetime | None
    newpage_updates: int | None = None
    sequential_scans: int = 0
    sequential_rows: int = 0
    index_scans: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStatistics:
    """An index's counters since its statistics were last reset: scans, and the entries that these returned.

    `scanned_at` is the time of the last scan since then, None before PostgreSQL 16 and where there was none.
    """

    oid: int
    scans: int
    entries_read: int | None = None
    scanned_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoSettings:
    """What Django's settings say about the database; always exactly one row.

    `is_asgi_only` says that they name an ASGI application and no WSGI application.
    """

    use_tz: bool
    debug: bool
    is_asgi_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericRelation:
    """A model's generic foreign key: the pair of columns that points to a row of any table."""

    db_table: str
    content_type_column: str
    object_id_column: str
