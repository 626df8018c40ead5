"""The sections that one statement reads, and what is done where that takes too long."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from dbops.collect.session import LookError
from dbops.collect.sql_files import has_statement, statement
from dbops.snapshot.snapshot import SECTIONS, Section, Unavailable

if TYPE_CHECKING:
    from dbops.collect.session import Session

#: Those that are an extension's: where that is has to be known first.
OF_EXTENSION: Final = frozenset({"statement_tracking", "statement_counters", "statement_texts"})
#: In the order in which they are read.
WITH_STATEMENT: Final = tuple(name for name in SECTIONS if has_statement(name) and name not in OF_EXTENSION)
#: How often a section is tried again after it met a lock that was not there a moment before.
_ATTEMPTS: Final = 3
#: In how many parts a section is read whose statement takes too long as a whole.
_PARTS: Final = 8
_LOCK_NOT_AVAILABLE: Final = "55P03"
_QUERY_CANCELED: Final = "57014"


def read_statement(session: Session, section: str, major: int) -> Section:
    """Read one section from a server of version `major`; a LookError ends as Unavailable.

    A lock met on the way is waited out a few times. What takes longer than a statement may, on a large or a busy
    server, is read once more in parts.
    """
    sql = statement(section, major)
    for _attempt in range(_ATTEMPTS):
        try:
            return tuple(session.read(sql, row=SECTIONS[section]))
        except LookError as error:
            reason = str(error)
            if error.sqlstate == _QUERY_CANCELED and _key(section) is not None:
                return _read_parts(session, section, sql)
            if error.sqlstate != _LOCK_NOT_AVAILABLE:
                break
    return Unavailable(f"{section.replace('_', ' ')}: {reason}")


def _read_parts(session: Session, section: str, sql: str) -> Section:
    """Read a section in parts by its rows' key: the server applies the condition before it looks anything up."""
    key, row = _key(section), SECTIONS[section]
    found: list[Any] = []
    for part in range(_PARTS):
        try:
            found += session.read(f"SELECT * FROM (\n{sql}\n) whole WHERE {key} % {_PARTS} = {part}", row=row)
        except LookError as error:
            return Unavailable(f"{section.replace('_', ' ')}: {error}")
    return tuple(found)


def _key(section: str) -> str | None:
    """Return the first column of a section when that is an oid."""
    first = fields(SECTIONS[section])[0].name
    return first if first in {"oid", "table_oid", "relation_oid"} else None
