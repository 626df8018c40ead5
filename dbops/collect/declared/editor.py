"""Django's schema editor, asked what it would write: it never reaches a database."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from django.db import InterfaceError, connections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import Field

#: What Django asks a server's version for decides nothing here: any that it supports will do.
_VERSION: Final = 180_000


def offline_editor(alias: str) -> Any:
    """Return the schema editor of DATABASES[alias]'s own class, on a connection that refuses to be opened."""
    original = connections[alias]

    class Offline(type(original)):  # type: ignore[misc]
        def ensure_connection(self) -> None:
            raise InterfaceError("what is declared has to be known without a database")

    connection: Any = Offline(deepcopy(original.settings_dict), alias)
    connection.pg_version = _VERSION

    class Describing(connection.SchemaEditorClass):  # type: ignore[misc]
        def _is_collation_deterministic(self, collation_name: str) -> bool:
            """Only the database knows. Where this is False no second index is declared, and none is missed."""
            return False

    return Describing(connection, collect_sql=True)


def written(editor: Any, sql: str, parameters: Sequence[Any]) -> str:
    """Return `sql` with its parameters written into it, as Django writes them into DDL."""
    return sql % tuple(editor.quote_value(value) for value in parameters) if parameters else sql.replace("%%", "%")


def column_default(editor: Any, field: Field[Any, Any]) -> str | None:
    """Return the expression of a field's db_default."""
    if not field.has_db_default():
        return None
    sql, parameters = editor.db_default_sql(field)
    return written(editor, sql, parameters)


def generated_from(editor: Any, field: Any) -> str | None:
    """Return what a GeneratedField is computed from."""
    if not field.generated:
        return None
    return written(editor, *field.generated_sql(editor.connection))


def filling(editor: Any, field: Field[Any, Any]) -> str | None:
    """Return the literal that Django gives old rows when it adds the field; None where it is made for each row."""
    if callable(field.default) or (default := editor.effective_default(field)) is None:
        return None
    return str(editor.quote_value(default)).strip()
