"""The rows of the sections about sessions: who is connected, what each does, and how many may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: What the processes of applications, and those of autovacuum, are called in pg_stat_activity.
CLIENT: Final = "client backend"
AUTOVACUUM: Final = "autovacuum worker"
#: How a state begins that is "idle in transaction" or "idle in transaction (aborted)".
_IDLE_IN_TRANSACTION: Final = "idle in transaction"
#: Held open on purpose, for as long as it takes: by pg_dump, whose leader is idle while its workers dump.
DUMPS: Final = frozenset({"pg_dump", "pg_dumpall"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A process of the server, our own session left out. Ages are seconds by the server's clock.

    `kind` is pg_stat_activity's backend_type, None where this role may not see what the session does: then `state` and
    all that goes with it is None as well, but `waiting_s`, the lock and `blocked_by` are known. `is_here` marks the
    sessions of the database that is looked at. `state_s` is how long it has been in that state, `transaction_start` is
    ISO text in UTC to the microsecond. `command` is the first words of its statement, or of its last one when it is
    idle; None where they are no command. `snapshot_age` counts the transactions since its snapshot.
    `waiting_s`, `lock_type`, `lock_mode` and `lock_relation` (as quote_ident writes it) are of the lock that it waits
    for; `blocked_by` holds the pids that it waits for, 0 for a prepared transaction, and is empty for those that have
    waited least where more than 500 wait. `role_settings` is what ALTER ROLE … IN DATABASE … SET says (`name=value`).
    """

    pid: int
    role: str | None
    is_superuser: bool
    application: str
    database: str | None
    is_here: bool
    kind: str | None
    state: str | None
    wait_event: str | None
    state_s: float | None
    transaction_s: float | None
    transaction_start: str | None
    has_written: bool
    snapshot_age: int | None
    query_id: int | None
    command: str | None
    waiting_s: float | None
    lock_type: str | None
    lock_mode: str | None
    lock_relation: str | None
    blocked_by: tuple[int, ...]
    role_settings: tuple[str, ...]

    @property
    def account(self) -> str:
        """Whose it is: `web@shop`, the role alone where the application does not say its name, else its kind."""
        if self.role is None:
            return self.kind or "unknown"
        return f"{self.role}@{self.application}" if self.application else self.role

    @property
    def is_hidden(self) -> bool:
        """Whether this role may not see what it does."""
        return self.kind is None

    @property
    def is_idle_in_transaction(self) -> bool:
        return (self.state or "").startswith(_IDLE_IN_TRANSACTION)

    @property
    def is_dump(self) -> bool:
        return self.application in DUMPS


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimit:
    """How many connections there may be: `scope` is server, database or role, `name` whose (or the setting's).

    `reserved` of them are kept for superusers and members of pg_use_reserved_connections.
    """

    scope: str
    name: str
    most: int
    reserved: int

    @property
    def available(self) -> int:
        """How many an ordinary role can have."""
        return self.most - self.reserved


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooling:
    """Which server process we were told would serve our connection, and which one does; always exactly one row."""

    announced_pid: int
    serving_pid: int

    @property
    def is_pooled(self) -> bool:
        """Whether somebody stands in between: a pooler announces a number of its own making (PgBouncer, pgcat, …)."""
        return self.announced_pid != self.serving_pid
