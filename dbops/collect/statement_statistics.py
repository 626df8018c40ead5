"""What pg_stat_statements has counted: read where it is, in whatever schema the extension was created."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from dbops.collect.session import ConnectionLostError, LookError
from dbops.collect.sql_files import statement
from dbops.snapshot.counter_rows import StatementCounters, StatementText, StatementTracking
from dbops.snapshot.names import quote_ident
from dbops.snapshot.snapshot import Unavailable
from dbops.snapshot.statement_text import OWN, redacted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dbops.collect.session import Session
    from dbops.snapshot.snapshot import Section, Snapshot

#: The oldest version of the extension that has all the columns: PostgreSQL 14's.
_OLDEST: Final = (1, 9)
#: What Django asks of the tables in which dbops keeps what it knows is dbops' own doing, and has no mark.
_OWN_TABLE: Final = re.compile(r'"dbops_(?:counters|statement|look|finding|episode|slowqueries|slowqueryprocess)"')


def read_statement_tracking(session: Session, seen: Mapping[str, Any]) -> Section:
    """Return what pg_stat_statements is here, and what it holds; that part stays None where it cannot be read."""
    try:
        (row,) = session.read(statement("statement_tracking", seen["server"][0].major), row=StatementTracking)
        # A file can set the library's settings without it: they are in pg_settings only where it is loaded.
        found = session.read("SELECT FROM pg_settings WHERE name = 'pg_stat_statements.max'")
    except LookError as error:
        return Unavailable(f"statement tracking: {error}")
    if not found:
        row = replace(row, is_loaded=False, most=None, track=None)
    if unreadable(row) is not None:
        return (row,)
    schema = quote_ident(row.schema)
    try:
        (held,) = session.read(
            f"SELECT (SELECT count(*) FROM {schema}.pg_stat_statements(false)) AS entries, "
            f"i.dealloc AS deallocations, i.stats_reset AS reset_at FROM {schema}.pg_stat_statements_info AS i"
        )
    except LookError:
        return (row,)
    return (replace(row, **held),)


def unreadable(tracking: StatementTracking) -> str | None:
    """Return why the counters of statements cannot be read, and what would let them; None when they can."""
    if tracking.schema is None:
        return "pg_stat_statements is not here: CREATE EXTENSION pg_stat_statements"
    if not tracking.is_loaded:
        return "pg_stat_statements is not in shared_preload_libraries, so that it counts nothing"
    if tuple(map(int, (tracking.version or "0").split("."))) < _OLDEST:
        return f"pg_stat_statements is {tracking.version}: ALTER EXTENSION pg_stat_statements UPDATE"
    return None


def read_statement_counters(session: Session, seen: Mapping[str, Any]) -> Section:
    """Return the counters of every statement of this database that this role may see."""
    return _read(session, seen, "statement_counters", StatementCounters)


def read_statement_texts(session: Session, seen: Mapping[str, Any], *, only: Collection[int] | None = None) -> Section:
    """Return the texts of this database's statements, without data in them; `only` those with these query ids."""
    found = _read(session, seen, "statement_texts", None, only=only)
    if isinstance(found, Unavailable):
        return found
    return tuple(
        StatementText(query_id=row["query_id"], text=redacted(row["text"]), is_own=_is_own(row["text"]))
        for row in found
    )


def _is_own(text: str) -> bool:
    return text.rstrip().endswith(OWN) or _OWN_TABLE.search(text) is not None


def _read(
    session: Session,
    seen: Mapping[str, Any],
    section: str,
    row: type[Any] | None,
    *,
    only: Collection[int] | None = None,
) -> Section:
    tracking = seen["statement_tracking"][0]
    reason = unreadable(tracking)
    if reason is not None:
        return Unavailable(reason)
    major = min(seen["server"][0].major, _major_of(tracking.version))
    sql = statement(section, major).replace("{statements}", quote_ident(tracking.schema))
    chosen = "" if only is None else f" AND s.queryid IN ({', '.join(map(str, only)) or 'NULL'})"
    try:
        return tuple(session.read(f"{sql}{chosen}", row=row))
    except LookError as error:
        return Unavailable(f"{section.replace('_', ' ')}: {error}")


def _major_of(version: str) -> int:
    """Return the major version of PostgreSQL whose columns the extension's version has: 1.11 came with 17.

    After an upgrade of the server an extension stays as it was until somebody updates it.
    """
    return 17 if tuple(map(int, version.split("."))) >= (1, 11) else 15


def texts_of(session: Session, snapshot: Snapshot, only: Collection[int]) -> Section:
    """Return the texts of the statements with these query ids, read after a look, in a transaction of their own."""
    try:
        with session.transaction():
            session.hide_schemas()
            return read_statement_texts(session, snapshot.sections, only=only)
    except (ConnectionLostError, LookError) as error:
        return Unavailable(f"statement texts: {error}")
