"""The migrations that a database has recorded as applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbops.collect.session import LookError
from dbops.snapshot.migration_rows import TABLE_OF_MIGRATIONS, AppliedMigration
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dbops.collect.session import Session
    from dbops.snapshot import rows
    from dbops.snapshot.snapshot import Section


def read_applied_migrations(session: Session, seen: Mapping[str, Any]) -> Section:
    """Return what Django's table of migrations lists, none where no such table is on the search path."""
    table = _found(seen)
    if table is None:
        return ()
    name = table.qualified_name
    if not table.is_readable:
        return Unavailable(f"no SELECT on {name}: GRANT SELECT ON {name} TO {seen['server'][0].role}")
    if table.oid in {relation.oid for relation in seen["locked_relations"]}:
        return Unavailable(f"{name} is locked by another session")
    columns = "app::text AS app_label, name::text AS name, applied::timestamptz AS applied_at"
    try:
        found = session.read(f"SELECT {columns} FROM {name} ORDER BY id")
    except LookError as error:
        return Unavailable(f"{name}: {error}")
    return tuple(AppliedMigration(schema=table.schema, **row) for row in found)


def _found(seen: Mapping[str, Any]) -> rows.Table | None:
    tables = {table.schema: table for table in seen["tables"] if table.name == TABLE_OF_MIGRATIONS}
    return next((tables[schema] for schema in seen["server"][0].search_path if schema in tables), None)
