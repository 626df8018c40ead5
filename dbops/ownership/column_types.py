"""Changing columns' types by a migration operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import connections, models

from dbops.ownership import source
from dbops.ownership.source import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dbops.findings.changes import ChangeTypes, ColumnType, TextsToUuid
    from dbops.ownership.place import Place
    from dbops.ownership.tables import AnyField, ModelTable

#: Django's own fields on smaller integers, and those that hold a bigint instead.
_WIDER: Final[Mapping[type[AnyField], type[AnyField]]] = {
    models.AutoField: models.BigAutoField,
    models.SmallAutoField: models.BigAutoField,
    models.IntegerField: models.BigIntegerField,
    models.SmallIntegerField: models.BigIntegerField,
    models.PositiveIntegerField: models.PositiveBigIntegerField,
    models.PositiveSmallIntegerField: models.PositiveBigIntegerField,
}


def change_types(change: ChangeTypes, place: Place) -> str | None:
    """Return the operation that changes columns' types.

    Where the models ask for the new types already, only the database is brought there. A key of the place's own model
    that gets a bigint is altered as a field: Django alters the foreign keys that refer to it along with it. Everything
    else has none.
    """
    found = [(column, _field(place, column)) for column in change.columns]
    if any(field is None for _, field in found):
        return None
    known = [(column, *field) for column, field in found if field is not None]
    widened = [(column, field) for column, table, field in known if not _is_expected(column, table, field)]
    if not widened:
        return place.run_sql(change.fix().sql, None).with_remarks()
    keys = [field for _, field in widened if not field.is_relation]
    followers = [field for _, field in widened if field.is_relation]
    if len(keys) != 1 or any(_key_of(follower) != keys[0] for follower in followers):
        return None
    return _widen(place, keys[0]) if all(column.new_type == "bigint" for column, _ in widened) else None


def texts_to_uuid(change: TextsToUuid, place: Place) -> str | None:
    """Return the operation that makes a CharField of the place's own model uuid, and what refers to it along with it.

    A default text is no UUID, and a field of another class than CharField may be anything: there is none for those.
    """
    found = [(column, _field(place, column)) for column in change.columns]
    known = [(column, *field) for column, field in found if field is not None]
    if len(known) < len(found):
        return None
    if all(_is_expected(*one) for one in known):
        return place.run_sql(change.sql, None).with_remarks()
    keys = {_key_of(field) for _, _, field in known}
    (key, *others) = keys
    is_plain = type(key) is models.CharField and (callable(key.default) or not key.has_default())
    if others or not is_plain or place.fields([key.column or ""]) != [key]:
        return None
    try:
        altered = source.field(source.changed(key, models.UUIDField, max_length=None, db_collation=None))
    except ValueError:
        return None
    operation = source.operation("AlterField", place.model, literal(key.name), altered.text, imports=altered.imports)
    return operation.with_remarks(f"in {place.name}: {key.name} = models.UUIDField(...)")


def _field(place: Place, column: ColumnType) -> tuple[ModelTable, AnyField] | None:
    row = place.schema.resolve(f'{column.schema}"."{column.table}')
    table = place.owners.table(place.schema, row.oid) if row is not None else None
    field = table.field(column.column) if table is not None else None
    return None if table is None or field is None else (table, field)


def _is_expected(column: ColumnType, table: ModelTable, field: AnyField) -> bool:
    """Whether the model's own field has the type that the column is to get."""
    return _spelled(field.db_type(connections[table.alias]) or "") == _spelled(column.new_type)


def _spelled(type_: str) -> str:
    return type_.replace("varchar", "character varying").replace(", ", ",")


def _key_of(field: AnyField) -> AnyField:
    """Return the field that a foreign key takes its type from, through foreign keys that are keys themselves."""
    while field.is_relation:
        field = field.target_field  # type: ignore[attr-defined]
    return field


def _widen(place: Place, field: AnyField) -> str | None:
    wider = _WIDER.get(type(field))
    if wider is None or place.fields([field.column or ""]) != [field]:
        return None
    implicit = {"auto_created": None, "verbose_name": None} if field.auto_created else {}
    try:
        altered = source.field(source.changed(field, wider, **implicit))
    except ValueError:
        return None
    options = "primary_key=True" if field.auto_created else "..."
    operation = source.operation("AlterField", place.model, literal(field.name), altered.text, imports=altered.imports)
    return operation.with_remarks(f"in {place.name}: {field.name} = models.{wider.__name__}({options})")
