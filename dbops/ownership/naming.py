"""The names that Django gives indexes and constraints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from django.db import connections
from django.db.backends.utils import split_identifier

from dbops.snapshot.names import derived_name, truncate_name

if TYPE_CHECKING:
    from dbops.ownership.tables import AnyField, ModelTable

#: How Django ends the names that it makes up where nobody chose one: a hash, then perhaps the purpose.
_MADE_UP: Final = re.compile(r"_[0-9a-f]{8}(?:_like|_uniq|_pk|_check|_fk_.+|_fk)?\Z")


def is_made_up(name: str) -> bool:
    """Whether an index or a constraint has a name as Django makes them up for fields and `unique_together`."""
    return _MADE_UP.search(name) is not None


def field_index_name(table: ModelTable, field: AnyField) -> str:
    """Return the name that Django gives the index of a field with `db_index`."""
    return _made_up(table, field, "")


def foreign_key_names(table: ModelTable, field: AnyField) -> tuple[str, ...]:
    """Return the names that a field's foreign key may have: when made, and when made anew for a key that was altered.

    A field that refers to nothing has none.
    """
    target: Any = getattr(field, "target_field", None)
    if target is None:
        return ()
    _, referenced = split_identifier(target.model._meta.db_table)
    return _made_up(table, field, f"_fk_{referenced}_{target.column}"), _made_up(table, field, "_fk")


def unique_names(table: ModelTable, field: AnyField) -> tuple[str, str]:
    """Return the names that a field's own unique constraint may have: PostgreSQL's, or Django's if it came later."""
    _, name = split_identifier(table.model._meta.db_table)
    return derived_name(name, field.column or "", suffix="key"), _made_up(table, field, "_uniq")


def _made_up(table: ModelTable, field: AnyField, suffix: str) -> str:
    editor: Any = connections[table.alias].schema_editor()
    # Django has no public way to these names.
    name: str = editor._create_index_name(table.model._meta.db_table, [field.column], suffix=suffix)  # noqa: SLF001
    return truncate_name(name)
