"""Look at a PostgreSQL: every section asked for, read in one read-only transaction."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from dbops.collect.applied_migrations import read_applied_migrations
from dbops.collect.builds import confirm_invalid
from dbops.collect.key_ranges import read_key_ranges
from dbops.collect.orphans import read_orphan_samples
from dbops.collect.pooling import read_pooling
from dbops.collect.sequences import read_sequence_keys, read_sequence_values
from dbops.collect.session import ConnectionLostError, LookError, Session
from dbops.snapshot.snapshot import SECTIONS, Section, Snapshot, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

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
}
_READERS: Final[Mapping[str, Callable[[Session, Mapping[str, Any]], Section]]] = {
    "sequence_values": read_sequence_values,
    "sequence_keys": read_sequence_keys,
    "key_ranges": read_key_ranges,
    "applied_migrations": read_applied_migrations,
    "pooling": read_pooling,
    "orphan_samples": read_orphan_samples,
}
_SQL: Final = files("dbops.collect") / "sql"
#: Sections that this module reads, in that order: those that have a statement, then those that need others first.
READ_HERE: Final = (*(name for name in SECTIONS if (_SQL / f"{name}.sql").is_file()), *_BY_OBJECT)
#: How often a section is tried again after it met a lock that was not there a moment before.
_ATTEMPTS: Final = 3
_LOCK_NOT_AVAILABLE: Final = "55P03"


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
    """
    taken_at, started = datetime.now(UTC), time.monotonic()
    wanted = [name for name in READ_HERE if name in _with_needs(sections)]
    seen: dict[str, Section] = dict(given)
    interrupted = None
    try:
        with session.transaction():
            for done, name in enumerate(wanted):
                if progress is not None:
                    progress(name.replace("_", " "), done, len(wanted))
                seen[name] = _read_section(session, name, seen)
                if name == "server":
                    session.hide_schemas()
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


def _with_needs(sections: Collection[str]) -> frozenset[str]:
    needs = (_BY_OBJECT.get(name, ()) for name in sections)
    return frozenset(("server", "locked_relations", *sections)).union(*needs)


def _read_section(session: Session, name: str, seen: Mapping[str, Section]) -> Section:
    """Read one section; a LookError ends as Unavailable, and a lock met on the way is waited out a few times."""
    if name in _BY_OBJECT:
        for need in _BY_OBJECT[name]:
            section = seen.get(need, Unavailable(f"{need} was not collected"))
            if isinstance(section, Unavailable):
                return section
        return _READERS[name](session, seen)
    sql = _statement(name, _major(seen))
    for _attempt in range(_ATTEMPTS):
        try:
            return tuple(SECTIONS[name](**row) for row in session.read(sql))
        except LookError as error:
            reason = f"{name.replace('_', ' ')}: {error}"
            if error.sqlstate != _LOCK_NOT_AVAILABLE:
                break
    return Unavailable(reason)


def _major(seen: Mapping[str, Section]) -> int:
    server = seen.get("server")
    if isinstance(server, tuple):
        only: Server = server[0]
        return only.major
    return 0


@cache
def _statement(section: str, major: int) -> str:
    """Return the SQL that reads `section` on PostgreSQL `major`, by the newest variant that it can run."""
    variants: dict[int, Any] = {}
    for file in _SQL.iterdir():
        match = re.fullmatch(rf"{section}(?:\.pg(\d+))?\.sql", file.name)
        if match:
            variants[int(match[1] or 0)] = file
    return str(variants[max(version for version in variants if version <= major)].read_text())
