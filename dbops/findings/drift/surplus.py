"""What the database has beyond the models: of a table one piece of information, and what makes INSERT fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.drift.columns import is_wider, other_collation
from dbops.findings.drift.place import mend
from dbops.findings.finding import Severity
from dbops.snapshot.amounts import listed
from dbops.snapshot.names import qualified, quote_ident

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from dbops.findings.drift.columns import Known
    from dbops.findings.drift.place import Place
    from dbops.findings.finding import Finding
    from dbops.snapshot.declared_rows import DeclaredColumn, DeclaredConstraint
    from dbops.snapshot.rows import Column

_ACTIONS: Final = {"r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def surplus(
    place: Place,
    columns: Mapping[str, DeclaredColumn],
    constraints: Sequence[DeclaredConstraint],
    claimed: Collection[int],
    known: Known,
) -> Iterator[Finding]:
    """Iterate over what nothing in `columns`, declared by all models of the table, and nothing `claimed` stands for."""
    extra = [one for one in place.schema.columns_of(place.table.oid) if one.name not in columns]
    blocking = [one for one in extra if _blocks(place, one, known)]
    for column in blocking:
        yield _blocking(place, column)
    told = {
        "column": [column.name for column in extra if column not in blocking],
        "wider column": [
            column.name
            for column in place.schema.columns_of(place.table.oid)
            if column.name in columns and is_wider(columns[column.name], column)
        ],
        "collation": [
            column.name
            for column in place.schema.columns_of(place.table.oid)
            if column.name in columns
            and columns[column.name].collation is None
            and other_collation(column, known) is not None
        ],
        "default": list(_defaults(place, columns, known)),
        "unique index": _unique_indexes(place, claimed),
        "constraint": _constraints(place, claimed),
        "ON DELETE": list(_actions(place, constraints)),
    }
    parts = [f"{_noun(noun, names)} {listed(names)}" for noun, names in told.items() if names]
    if parts:
        things = [name for names in told.values() for name in names]
        yield place.whole(
            f"The database has more than {place.model} declares: {'; '.join(parts)}.",
            severity=Severity.INFO,
            evidence={"beyond_the_model": len(things)},
        )


def _noun(noun: str, names: Sequence[str]) -> str:
    if len(names) == 1 or noun.isupper() or noun == "ON DELETE":
        return noun
    return f"{noun}es" if noun.endswith("x") else f"{noun}s"


def _blocks(place: Place, column: Column, known: Known) -> bool:
    """Whether an INSERT that knows nothing of the column fails: it has to have a value, and nothing gives it one."""
    is_fed = column.identity or column.generated or (place.table.oid, column.number) in known.expressions
    return column.is_not_null and not is_fed


def _blocking(place: Place, column: Column) -> Finding:
    name = quote_ident(column.name)
    return place.column(
        column.name,
        f"{place.model} has no field for the column {column.name}, which may not be NULL and has no default: every "
        "INSERT by Django fails.",
        fix=mend(
            (place.alter(f"ALTER COLUMN {name} DROP NOT NULL"),), (place.alter(f"ALTER COLUMN {name} SET NOT NULL"),)
        ),
    )


def _defaults(place: Place, columns: Mapping[str, DeclaredColumn], known: Known) -> Iterator[str]:
    for column in place.schema.columns_of(place.table.oid):
        declared = columns.get(column.name)
        is_plain = declared is not None and not (declared.default or declared.generated or declared.is_counted)
        if is_plain and not column.generated and (place.table.oid, column.number) in known.expressions:
            yield column.name


def _unique_indexes(place: Place, claimed: Collection[int]) -> list[str]:
    """Other indexes refuse nothing: whether they are of use, other checks say."""
    return [
        index.name
        for index in place.schema.indexes_of(place.table.oid)
        if index.is_unique and index.oid not in claimed and index.constraint_oid is None and index.is_valid
    ]


def _constraints(place: Place, claimed: Collection[int]) -> list[str]:
    return [
        constraint.name
        for constraint in place.schema.constraints_of(place.table.oid)
        if constraint.oid not in claimed
        and constraint.type in "pufcx"
        and constraint.parent_oid is None
        and constraint.index_oid not in (claimed if constraint.type in "pux" else ())
    ]


def _actions(place: Place, constraints: Sequence[DeclaredConstraint]) -> Iterator[str]:
    """Iterate over the foreign keys that act where Django does itself what the model says."""
    declared = {one.columns: one.on_delete for one in constraints if one.type == "f"}
    for found in place.schema.constraints_of(place.table.oid):
        names = place.schema.column_names(place.table.oid, found.columns)
        if found.type == "f" and found.on_delete in _ACTIONS and declared.get(names) == "a":
            yield f"{_ACTIONS[found.on_delete]} of {qualified(found.name)}"
