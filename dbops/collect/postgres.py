"""Look at a PostgreSQL: every section asked for, read in one read-only transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from dbops import OLDEST_POSTGRESQL
from dbops.collect.applied_migrations import read_applied_migrations
from dbops.collect.bloat import NEEDS as BLOAT_NEEDS
from dbops.collect.bloat import measure_bloat
from dbops.collect.builds import confirm_invalid
from dbops.collect.disk import read_disk_space
from dbops.collect.key_ranges import read_key_ranges
from dbops.collect.orphans import read_orphan_samples
from dbops.collect.pooling import read_pooling
from dbops.collect.sequences import read_sequence_keys, read_sequence_values
from dbops.collect.session import ConnectionLostError, LookError, Session
from dbops.collect.statement_statistics import (
    read_statement_counters,
    read_statement_texts,
    read_statement_tracking,
)
from dbops.collect.statements import WITH_STATEMENT, read_statement
from dbops.errors import UnsupportedServerError
from dbops.snapshot.snapshot import Section, Snapshot, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from dbops.snapshot.rows import Server

#: Sections that are read object by object, and what they need to know first.
_BY_OBJECT: Final[Mapping[str, tuple[str, ...]]] = {
    "sequence_values": ("locked_relations", "sequences"),
    "sequence_keys": ("locked_relations", "tables", "columns", "indexes", "sequences", "sequence_values"),
    "key_ranges": ("locked_relations", "tables", "columns", "indexes", "constraints", "sequences"),
    "applied_migrations": ("server", "locked_relations", "tables"),
    "pooling": (),
    "orphan_samples": (
        "server",
        "locked_relations",
        "tables",
        "columns",
        "indexes",
        "constraints",
        "loose_relations",
    ),
    "bloat_measurements": BLOAT_NEEDS,
    "statement_tracking": ("server",),
    "statement_counters": ("server", "statement_tracking"),
    "statement_texts": ("server", "statement_tracking"),
    "disk_space": ("server",),
}
_READERS: Final[Mapping[str, Callable[[Session, Mapping[str, Any]], Section]]] = {
    "sequence_values": read_sequence_values,
    "sequence_keys": read_sequence_keys,
    "key_ranges": read_key_ranges,
    "applied_migrations": read_applied_migrations,
    "pooling": read_pooling,
    "orphan_samples": read_orphan_samples,
    "bloat_measurements": measure_bloat,
    "statement_tracking": read_statement_tracking,
    "statement_counters": read_statement_counters,
    "statement_texts": read_statement_texts,
    "disk_space": read_disk_space,
}
#: Sections that count what sessions of the server itself write.
_OF_WRITES: Final = frozenset({"table_statistics"})
#: Sections that are read when the look's own transaction has ended, as they take longer and open their own.
_AFTERWARDS: Final = frozenset({"bloat_measurements"})
#: Sections that this module reads, in that order: those that have a statement, then those that need others first.
READ_HERE: Final = (*WITH_STATEMENT, *_BY_OBJECT)


class Progress(Protocol):
    """Told before each step of a look: what is looked at, how many steps are done, and of how many."""

    def __call__(self, step: str, done: int, total: int, /) -> None: ...


def collect(
    session: Session,
    *,
    alias: str | None,
    database: str,
    sections: Collection[str] = READ_HERE,
    given: Mapping[str, Section] = MappingProxyType({}),
    progress: Progress | None = None,
) -> Snapshot:
    """Return what `session` shows of its database.

    `sections` names what is wanted; what those need is read too. `given` are the sections that are known already, such
    as Django's: they become part of the snapshot. A section that cannot be read says why and the others
    go on; when the connection is lost, the sections not read yet say so, and the snapshot is marked as interrupted.

    Raises:
        UnsupportedServerError: the server is older than what the statements are written for.
    """
    taken_at, started = datetime.now(UTC), time.monotonic()
    wanted = [name for name in READ_HERE if name in with_needs(sections)]
    seen: dict[str, Section] = dict(given)
    interrupted = None
    steps = _Steps(session, wanted, seen, progress)
    try:
        with session.transaction():
            steps.take(frozenset(wanted) - _AFTERWARDS)
        steps.take(_AFTERWARDS)
    except (ConnectionLostError, LookError) as error:
        interrupted = str(error)
        for name in wanted:
            seen.setdefault(name, Unavailable(interrupted))
    indexes = seen.get("indexes")
    if isinstance(indexes, tuple):
        seen["indexes"] = confirm_invalid(session, indexes)
    server = seen.get("server")
    return Snapshot(
        alias=alias,
        database=server[0].database if isinstance(server, tuple) else database,
        taken_at=taken_at,
        duration_ms=round((time.monotonic() - started) * 1000),
        sections=seen,
        interrupted=interrupted,
    )


@dataclass(frozen=True, slots=True)
class _Steps:
    """The sections that are `wanted`, in order; what was read goes to `seen`."""

    session: Session
    wanted: Sequence[str]
    seen: dict[str, Section]
    progress: Progress | None

    def take(self, names: Collection[str]) -> None:
        """Read those of the wanted that are among `names`."""
        for done, name in enumerate(self.wanted):
            if name not in names:
                continue
            if self.progress is not None:
                self.progress(name.replace("_", " "), done, len(self.wanted))
            self.seen[name] = _read_section(self.session, name, self.seen)
            if name == "server":
                _refuse_if_too_old(self.seen)
                self.session.hide_schemas()


def with_needs(sections: Collection[str]) -> frozenset[str]:
    """Return `sections` and those that have to be known before they can be read."""
    return frozenset(("server", "locked_relations", *sections)).union(*(_BY_OBJECT.get(name, ()) for name in sections))


def _read_section(session: Session, name: str, seen: Mapping[str, Section]) -> Section:
    """Read one section; what it needs and has not got makes it Unavailable."""
    server = seen.get("server")
    if name in _OF_WRITES and isinstance(server, tuple) and server[0].is_standby:
        return Unavailable("a standby counts no writes and no dead rows: look at its primary")
    if name in _BY_OBJECT:
        for need in _BY_OBJECT[name]:
            section = seen.get(need, Unavailable(f"{need} was not collected"))
            if isinstance(section, Unavailable):
                return section
        return _READERS[name](session, seen)
    return read_statement(session, name, _major(seen))


def _refuse_if_too_old(seen: Mapping[str, Section]) -> None:
    server = seen["server"]
    if isinstance(server, tuple) and server[0].major < OLDEST_POSTGRESQL:
        message = f"PostgreSQL {server[0].version} is older than what dbops can look at"
        raise UnsupportedServerError(message, hint=f"PostgreSQL {OLDEST_POSTGRESQL} is the oldest it knows")


def _major(seen: Mapping[str, Section]) -> int:
    server = seen.get("server")
    if isinstance(server, tuple):
        only: Server = server[0]
        return only.major
    return 0
