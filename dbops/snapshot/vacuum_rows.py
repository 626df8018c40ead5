"""The rows of the sections that tell what VACUUM has to do, does, and is kept from doing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  read at run time by the codec
from typing import Final

#: What a check says it could not see where a holder is hidden.
HIDDEN_HOLDERS: Final = "this role may not see since when other sessions hold dead rows: GRANT pg_monitor TO it"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToastTable:
    """The TOAST table of a table outside the system schemas, with its counters since their last reset.

    `options` are its own (set as `toast.…` on the table); without any, autovacuum takes the table's.
    """

    table_oid: int
    oid: int
    options: tuple[str, ...]
    row_estimate: int | None
    live_rows: int
    dead_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningVacuum:
    """A table that is being vacuumed; `table_oid` is None in another database.

    `is_autovacuum` is None where this role may not see who does it: only pg_monitor sees autovacuum's workers.
    """

    pid: int
    database: str
    table_oid: int | None
    is_autovacuum: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizonHolder:
    """What keeps dead rows from being removed and old ones from being frozen.

    `kind` is `session`, `process` (the server's own, such as an autovacuum worker), `standby` (by
    hot_standby_feedback), `prepared transaction`, `slot`, or `logical slot`, which holds the system's tables alone;
    `name` a session's role and application, what a process is, a prepared transaction's identifier, a slot's name.
    `xid_age` is how many transaction ids ago its oldest snapshot, or its own transaction, began. `started_at` is when
    its transaction began, `held_since` when what it holds now was there at the latest: at READ COMMITTED every
    statement takes a new snapshot. Of other roles' sessions only pg_monitor sees more than the age: where `is_hidden`,
    a standby's is taken for any other, and nobody knows since when it holds anything.
    """

    kind: str
    name: str
    pid: int | None
    database: str | None
    xid_age: int
    started_at: datetime | None
    held_since: datetime | None
    is_hidden: bool

    def __str__(self) -> str:
        if self.kind == "session":
            return f"the session of {self.name} (pid {self.pid})"
        if self.kind == "process":
            return f"the {self.name} (pid {self.pid})"
        return f"the {self.kind} {self.name}" if self.kind != "standby" else f"the standby connected as {self.name}"

    def holds_tables_of(self, database: str) -> bool:
        """Return whether ordinary tables of `database` are held: a session or transaction holds its own database's."""
        return self.kind != "logical slot" and self.database in {None, database}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAge:
    """How many transaction ids and multixacts ago a database's oldest unfrozen ones were; all of the server's."""

    name: str
    is_here: bool
    xid_age: int
    multixact_age: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAge:
    """One of this database's tables with the oldest transaction ids or multixacts, the system's tables included.

    A TOAST table (`is_toast`) is given with the schema and name of the table that it belongs to.
    """

    schema: str
    name: str
    is_toast: bool
    is_temporary: bool
    xid_age: int
    multixact_age: int
