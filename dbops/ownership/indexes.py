"""Making and dropping an index by a migration operation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from django.db.models import UniqueConstraint

from dbops.ownership import source
from dbops.ownership.naming import field_index_name, is_made_up
from dbops.ownership.source import literal, strings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.findings.changes import CreateIndex, DropIndex, ReplaceIndex
    from dbops.ownership.place import Place
    from dbops.ownership.source import Source
    from dbops.ownership.tables import AnyField
    from dbops.snapshot import rows

_IF_PENDING: Final = "the model has this index already: if it only waits in an unapplied migration, migrate instead"
_SQL_FIRST: Final = (
    "run the SQL beforehand: it builds partition by partition while writes go on, then this finds it done"
)


def named_for_model(change: CreateIndex, place: Place) -> CreateIndex:
    """Return `change` with the name that the model gives the index, where it declares one that the database lacks."""
    fields = place.fields(change.columns)
    declared = _declared(place, fields) if fields else None
    return change if declared is None else replace(change, name=declared)


def create_index(change: CreateIndex, place: Place) -> str | None:
    """Return the operation that makes an index.

    It goes into Meta.indexes; where the model declares it already, only the database gets it. An index of a partitioned
    table cannot be built concurrently, so there the operation takes over what the SQL has built, or builds it at once
    in a database that has no rows to speak of.
    """
    fields = place.fields(change.columns)
    if change.is_partitioned:
        whole = replace(change, is_partitioned=False, partitions=()).fix().sql[0]
        sql, undo, remarks = [whole.replace("INDEX CONCURRENTLY ", "INDEX ", 1)], change.fix().undo, [_SQL_FIRST]
    else:
        (*sql,), undo, remarks = change.fix().sql, change.fix().undo, []
    if fields is None:
        return place.run_sql(sql, undo).with_remarks(*remarks)
    if _declared(place, fields) == change.name:
        return place.run_sql(sql, None).with_remarks(_IF_PENDING, *remarks)
    index = f"models.Index(fields={strings([field.name for field in fields])}, name={literal(change.name)})"
    remarks.append(f"in {place.name}.Meta.indexes: {index}")
    if not change.is_partitioned:
        return source.postgres_operation("AddIndexConcurrently", place.model, index).with_remarks(*remarks)
    state = source.operation("AddIndex", place.model, index)
    return source.separate(state, place.run_sql(sql, undo)).with_remarks(*remarks)


def drop_index(change: DropIndex, place: Place) -> str | None:
    """Return the operation that drops an index; None where no operation can, or the models would bring it back.

    An invalid index has none: a build that failed is this database's accident, and no part of the models' history.
    """
    index = place.index(change.schema, change.name)
    if index is None or not index.is_valid:
        return None
    declared = _drop_declared(change, place)
    if declared is not None or index.constraint_oid is not None:
        return declared
    if is_made_up(index.name) and not (index.is_partial or index.has_expressions):
        if place.table.link is not None:
            return None
        field = _indexed_field(place, index)
        if field is not None:
            return _drop_field_index(change, place, index, field)
    return place.run_sql(change.fix().sql, change.fix().undo).with_remarks()


def replace_index(change: ReplaceIndex, place: Place) -> str | None:
    """Return the operation that puts a smaller index in the place of one that leaves nothing out.

    None where the models have no place for it: on partitions, in a table that Django makes by itself, for one of a
    text field's two indexes, and where the model says more of the index than its field.
    """
    index = place.index(change.drop.schema, change.drop.name)
    if index is None or not index.is_valid or change.create.is_partitioned:
        return None
    fix = change.fix()
    database = place.run_sql(fix.sql, fix.undo)
    old = place.meta_index(change.drop.name)
    if old is None and not is_made_up(index.name):
        return database.with_remarks()
    fields = place.fields(change.create.columns)
    if not fields:
        return None
    text = _leaving_out_nulls(fields[0].name, change.create.name)
    state, remarks = [source.operation("AddIndex", place.model, text)], [f"in {place.name}.Meta.indexes: {text}"]
    if old is not None:
        if list(old.fields) != [fields[0].name] or old.opclasses or old.include:
            return None
        state.append(source.operation("RemoveIndex", place.model, literal(change.drop.name)))
        remarks.append(f"no longer there: {literal(change.drop.name)}")
    else:
        altered = _without_own_index(place, index)
        if altered is None:
            return None
        state.append(altered)
        remarks.append(f"in {place.name}.{fields[0].name}: db_index=False")
    return source.separate(state, database).with_remarks(*remarks)


def _leaving_out_nulls(field: str, name: str) -> str:
    condition = f"models.Q({field}__isnull=False)"
    return f"models.Index(fields={strings([field])}, name={literal(name)}, condition={condition})"


def _drop_declared(change: DropIndex, place: Place) -> str | None:
    """Return the operation that drops an index of Meta.indexes, or the one of a constraint that has no other form."""
    name = literal(change.name)
    if place.meta_constraint(change.name):
        operation, of = source.operation("RemoveConstraint", place.model, name), "constraints"
    elif not place.meta_index(change.name):
        return None
    elif change.is_partitioned or place.is_in_named_schema:
        operation, of = source.operation("RemoveIndex", place.model, name), "indexes"
    else:
        operation, of = source.postgres_operation("RemoveIndexConcurrently", place.model, name), "indexes"
    if place.is_in_named_schema:
        # Django drops an index by its bare name, IF EXISTS: in a schema that is not searched it finds none.
        operation = source.separate(operation, place.run_sql(change.fix().sql, change.fix().undo))
    return operation.with_remarks(f"no longer in {place.name}.Meta.{of}")


def _indexed_field(place: Place, index: rows.Index) -> AnyField | None:
    """Return the field that `index` was made for by `db_index` or `unique`, if it still has that."""
    fields = place.fields(place.schema.column_names(index.table_oid, index.keys))
    if not fields or len(fields) > 1 or not (fields[0].unique or getattr(fields[0], "db_index", False)):
        return None
    expected = field_index_name(place.table, fields[0])
    is_twin = index.name.endswith("_like")
    is_taken = index.name != expected and place.index(index.schema, expected) is not None
    return None if is_taken and not is_twin else fields[0]


def _drop_field_index(change: DropIndex, place: Place, index: rows.Index, field: AnyField) -> str | None:
    """Return the operation that takes `db_index` from a field.

    A foreign key keeps its own index unless the model declares another one that starts with it.
    """
    if field.is_relation and not _is_covered(place, field):
        return None
    state = _without_own_index(place, index)
    if state is None:
        return None
    operation = source.separate(state, place.run_sql(change.fix().sql, change.fix().undo))
    return operation.with_remarks(f"in {place.name}.{field.name}: db_index=False")


def _without_own_index(place: Place, index: rows.Index) -> Source | None:
    """Return the operation that takes from a field the `db_index` that `index` was made for, for the models' state.

    AlterField would drop, add and validate a foreign key besides, were it to change the database. A text field's two
    indexes stay: the model can only give up both, and nothing is known against the other.
    """
    field = _indexed_field(place, index)
    of_field = [
        one for one in place.schema.indexes_of(place.row.oid) if one.keys == index.keys and is_made_up(one.name)
    ]
    if field is None or field.unique or any(one.name.endswith("_like") for one in of_field):
        return None
    try:
        altered = source.field(source.changed(field, db_index=False))
    except ValueError:
        return None
    return source.operation("AlterField", place.model, literal(field.name), altered.text, imports=altered.imports)


def _declared(place: Place, fields: Sequence[AnyField]) -> str | None:
    """Return the name of the index on exactly these fields that the model declares."""
    names = [field.name for field in fields]
    if len(fields) == 1 and getattr(fields[0], "db_index", False) and not fields[0].unique:
        return field_index_name(place.table, fields[0])
    for index in place.table.model._meta.indexes:
        if list(index.fields) == names and not index.condition and not index.opclasses:
            return str(index.name)
    return None


def _is_covered(place: Place, field: AnyField) -> bool:
    """Whether the model declares an index over all rows, other than the field's own, that starts with the field."""
    options = place.table.model._meta
    indexes = [[name for name, _ in one.fields_orders] for one in options.indexes if not one.condition]
    unique = [one for one in options.constraints if isinstance(one, UniqueConstraint) and not one.condition]
    together = [*indexes, *(one.fields for one in unique), *options.unique_together]
    return any(names and names[0] == field.name for names in together)
