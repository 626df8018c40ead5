"""Validating and dropping a constraint by a migration operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.ownership import source
from dbops.ownership.naming import foreign_key_names, is_made_up, unique_names
from dbops.ownership.source import literal, strings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.findings.changes import DropConstraint, ValidateConstraint
    from dbops.ownership.place import Place
    from dbops.ownership.tables import AnyField
    from dbops.snapshot import rows


def validate_constraint(change: ValidateConstraint, place: Place) -> str | None:
    """Return the operation that validates a constraint.

    None for one that only this database has: on a copy that lacks it the migration would fail.
    """
    history, key = place.owners.history, place.table.key
    is_known = (
        place.meta_constraint(change.name) is not None
        or is_made_up(change.name)
        or history.constraint(key, change.name) is not None
        or history.statement(change.name) is not None
    )
    if not is_known:
        return None
    if place.table.link is not None:
        return place.run_sql(change.fix().sql, None).with_remarks()
    return source.postgres_operation("ValidateConstraint", place.model, literal(change.name)).with_remarks()


def drop_constraint(change: DropConstraint, place: Place) -> str | None:
    """Return the operation that drops a constraint; None where no operation can, or the models would bring it back."""
    if place.meta_constraint(change.name) is not None:
        operation = source.operation("RemoveConstraint", place.model, literal(change.name))
        return operation.with_remarks(f"no longer in {place.name}.Meta.constraints")
    constraints = place.schema.constraints_of(place.row.oid)
    constraint = next((one for one in constraints if one.name == change.name), None)
    if constraint is None:
        return None
    twins = [one for one in constraints if one != constraint and _says_the_same(one, constraint)]
    fields = place.fields(place.schema.column_names(place.row.oid, constraint.columns)) or []
    names = tuple(field.name for field in fields)
    if constraint.type == "u" and names in _unique_together(place) and is_made_up(constraint.name):
        is_alone = all(place.meta_constraint(twin.name) for twin in twins)
        return _drop_unique_together(place, names) if is_alone else None
    if _is_made_for_field(place, constraint, fields, twins):
        return None
    return place.run_sql(change.fix().sql, change.fix().undo).with_remarks()


def _is_made_for_field(
    place: Place, constraint: rows.Constraint, fields: Sequence[AnyField], twins: Sequence[rows.Constraint]
) -> bool:
    """Whether Django made the constraint for what a field is: a key, unique, a reference, positive."""
    if constraint.type == "p":
        return True
    if place.table.link is not None:
        return not twins or is_made_up(constraint.name)
    if len(fields) != 1:
        return False
    (field,) = fields
    if constraint.type == "u":
        return field.unique and constraint.name in unique_names(place.table, field)
    if constraint.type == "f":
        expected = foreign_key_names(place.table, field)
        is_taken = constraint.name not in expected and any(twin.name in expected for twin in twins)
        return not twins or (is_made_up(constraint.name) and not is_taken)
    return is_made_up(constraint.name)


def _drop_unique_together(place: Place, names: tuple[str, ...]) -> str:
    kept = sorted(one for one in _unique_together(place) if one != names)
    value = f"{{{', '.join(f'({strings(one)[1:-1]})' for one in kept)}}}" if kept else "set()"
    operation = source.operation("AlterUniqueTogether", place.model, value)
    return operation.with_remarks(f"{names} no longer in {place.name}.Meta.unique_together")


def _unique_together(place: Place) -> list[tuple[str, ...]]:
    return [tuple(names) for names in place.table.model._meta.unique_together]


def _says_the_same(one: rows.Constraint, other: rows.Constraint) -> bool:
    """Whether two constraints of a table ask for the same."""
    referenced = (one.referenced_table_oid, one.referenced_columns)
    return (
        one.type == other.type
        and sorted(one.columns) == sorted(other.columns)
        and referenced == (other.referenced_table_oid, other.referenced_columns)
        and (one.type in "fu" or one.definition == other.definition)
    )
