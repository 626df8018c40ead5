"""Columns that are not as their fields declare them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbops.findings.changes import ChangeTypes, ColumnType
from dbops.findings.drift.place import LOUD, mend
from dbops.findings.finding import Severity, Unseen
from dbops.snapshot.integrity_rows import DEFAULT_COLLATION_OID
from dbops.snapshot.key_columns import INTEGER_BOUNDS, TableColumn, change_caution
from dbops.snapshot.names import derived_name, qualified, quote_ident, quote_literal
from dbops.snapshot.spellings import Question
from dbops.snapshot.type_spelling import Difference, difference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dbops.findings.drift.place import Place
    from dbops.findings.finding import Finding
    from dbops.findings.fix import Fix
    from dbops.snapshot.declared_rows import DeclaredColumn
    from dbops.snapshot.integrity_rows import Collation
    from dbops.snapshot.rows import Column
    from dbops.snapshot.spellings import Spellings


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of columns beside the schema: their expressions by table and number, collations by oid."""

    expressions: Mapping[tuple[int, int], str | None]
    collations: Mapping[int, Collation] | None
    spellings: Spellings


def missing_column(place: Place, declared: DeclaredColumn) -> Finding:
    """Return what there is to say of a field whose column is not there."""
    message = f"{place.model}.{declared.field} has no column: every query of {place.model} names it, and fails."
    return place.column(declared.name, message, severity=LOUD, fix=_add(place, declared))


def differing_column(
    place: Place, declared: DeclaredColumn, column: Column, known: Known
) -> Iterator[Finding | Unseen]:
    """Iterate over what is different in a column, but for the widths that `is_other_width` tells of."""
    yield from _nullability(place, declared, column)
    yield from _type(place, declared, column)
    yield from _collation(place, declared, column, known)
    if bool(declared.generated) is not bool(column.generated):
        yield _generated(place, declared, column)
    elif declared.default is not None or declared.generated is not None:
        yield from _expression(place, declared, column, known)
    if declared.is_counted:
        yield from _counter(place, declared, column, known)


def is_wider(declared: DeclaredColumn, column: Column) -> bool:
    """Whether the column takes more than the field gives it; a key that Django added has whatever was set then."""
    is_key = column.base_type in INTEGER_BOUNDS and declared.follows_settings
    return not is_key and difference(declared.type, column.type, column.base_type) is Difference.WIDER


def is_other_integer(declared: DeclaredColumn, column: Column) -> bool:
    """Whether the two differ in what DEFAULT_AUTO_FIELD says now and said when the key was made."""
    is_integer = column.base_type in INTEGER_BOUNDS and declared.follows_settings
    return is_integer and difference(declared.type, column.type, column.base_type) is Difference.NARROWER


def _add(place: Place, declared: DeclaredColumn) -> Fix | None:
    if declared.is_counted or not (declared.is_nullable or declared.default or declared.filling):
        return None
    name, collation = quote_ident(declared.name), _collate(declared)
    clause = f"ADD COLUMN {name} {declared.type}{collation}"
    undo = (place.alter(f"DROP COLUMN {name}"),)
    caution = None
    if declared.generated is not None:
        clause += f" GENERATED ALWAYS AS ({declared.generated}) STORED"
        caution = f"rewrites {place.table.qualified_name}{place.size} under an exclusive lock"
    elif declared.default is not None:
        clause += f" DEFAULT {declared.default}"
    if declared.is_nullable:
        return mend((place.alter(clause),), undo, caution=caution)
    if declared.default is not None:
        return mend((place.alter(f"{clause} NOT NULL"),), undo, caution=caution)
    return mend(
        (
            place.alter(f"{clause} DEFAULT {declared.filling} NOT NULL"),
            place.alter(f"ALTER COLUMN {name} DROP DEFAULT"),
        ),
        undo,
        caution="old rows get the field's default: what the column may have held before is lost",
    )


def _nullability(place: Place, declared: DeclaredColumn, column: Column) -> Iterator[Finding]:
    if declared.is_nullable is not column.is_not_null or declared.generated or column.generated:
        return
    name = quote_ident(declared.name)
    drop, set_ = f"ALTER COLUMN {name} DROP NOT NULL", f"ALTER COLUMN {name} SET NOT NULL"
    if declared.is_nullable:
        message = f"{place.model}.{declared.field} may be null, and the column is NOT NULL: saving None fails."
        yield place.column(declared.name, message, fix=mend((place.alter(drop),), (place.alter(set_),)))
        return
    message = f"{place.model}.{declared.field} may not be null, and the column may: nothing keeps NULL out of it."
    check = quote_ident(derived_name(place.table.name, declared.name, suffix="not_null_check"))
    yield place.column(
        declared.name,
        message,
        fix=mend(
            (
                place.alter(f"ADD CONSTRAINT {check} CHECK ({name} IS NOT NULL) NOT VALID"),
                place.alter(f"VALIDATE CONSTRAINT {check}"),
                place.alter(set_),
                place.alter(f"DROP CONSTRAINT {check}"),
            ),
            (place.alter(drop),),
            in_transaction=False,
            caution="fails where rows hold NULL: give them a value first",
        ),
    )


def _type(place: Place, declared: DeclaredColumn, column: Column) -> Iterator[Finding]:
    kind = difference(declared.type, column.type, column.base_type)
    if kind not in {Difference.NARROWER, Difference.OTHER} or is_other_integer(declared, column):
        return
    why = "values that the field takes are refused" if kind is Difference.NARROWER else "it holds something else"
    message = f"{place.model}.{declared.field} is {declared.type}, and the column is {column.type}: {why}."
    of_table = TableColumn(place.table, column)
    fix = None
    if of_table.can_change_type and not declared.generated:
        using = None if kind is Difference.NARROWER else f"{of_table.quoted}::"
        changed = ColumnType(
            schema=place.table.schema,
            table=place.table.name,
            column=column.name,
            old_type=column.type,
            new_type=declared.type,
            using=None if using is None else f"{using}{declared.type}",
            undo_using=f"{of_table.quoted}::{column.type}",
        )
        # The server lengthens a varchar without a look at the rows.
        is_quick = kind is Difference.NARROWER and column.type.startswith("character varying") and not column.held_by
        caution = None if is_quick else change_caution(place.schema, [of_table])
        fix = ChangeTypes(columns=(changed,)).fix(caution=caution)
    yield place.column(declared.name, message, fix=fix)


def other_collation(column: Column, known: Known) -> Collation | None:
    """Return the collation of a column that has another one than the database; None where it is not known."""
    if known.collations is None or column.collation in {0, DEFAULT_COLLATION_OID}:
        return None
    return known.collations.get(column.collation)


def _collation(place: Place, declared: DeclaredColumn, column: Column, known: Known) -> Iterator[Finding]:
    """One that the model does not ask for is beyond it."""
    actual = other_collation(column, known)
    is_known = known.collations is not None and (actual is not None or column.collation == DEFAULT_COLLATION_OID)
    if declared.collation is None or not is_known or (actual is not None and actual.name == declared.collation):
        return
    old = actual.qualified_name if actual else 'pg_catalog."default"'
    alter = f"ALTER COLUMN {quote_ident(column.name)} TYPE {column.type} COLLATE"
    sql, undo = place.alter(f"{alter} {quote_ident(declared.collation)}"), place.alter(f"{alter} {old}")
    of_table = TableColumn(place.table, column)
    yield place.column(
        declared.name,
        f"{place.model}.{declared.field} is sorted and compared by the collation {declared.collation}, and the column "
        f"by {old}: queries find and order other rows than the model says.",
        fix=mend((sql,), (undo,), caution=change_caution(place.schema, [of_table]))
        if of_table.can_change_type
        else None,
    )


def _generated(place: Place, declared: DeclaredColumn, column: Column) -> Finding:
    if declared.generated:
        message = (
            f"{place.model}.{declared.field} is generated, and the column is an ordinary one: Django never writes it, "
            "so new rows hold NULL or a default there."
        )
        return place.column(declared.name, message, severity=LOUD)
    message = (
        f"The column of {place.model}.{declared.field} is generated, and the field is an ordinary one: every INSERT "
        "that gives it a value fails."
    )
    drop = place.alter(f"ALTER COLUMN {quote_ident(column.name)} DROP EXPRESSION")
    fix = mend((drop,), caution="cannot be undone: the expression is lost") if column.generated == "s" else None
    return place.column(declared.name, message, severity=LOUD, fix=fix)


def _expression(place: Place, declared: DeclaredColumn, column: Column, known: Known) -> Iterator[Finding | Unseen]:
    """Compare a default, or what a generated column is computed from."""
    target, key = qualified(place.table.schema, place.table.name, column.name), (place.table.oid, column.number)
    if key not in known.expressions:
        yield _missing_default(place, declared, column)
        return
    actual, wanted = known.expressions[key], declared.default or declared.generated or ""
    if actual is None:
        yield Unseen(target, f"{place.table.qualified_name} is locked by another session")
        return
    kind = "generated" if declared.generated else "default"
    pair = (Question(place.table.oid, kind, text, column.type) for text in (wanted, actual))
    is_same = known.spellings.same(*pair)
    if isinstance(is_same, str):
        yield Unseen(target, is_same)
    elif not is_same and declared.generated:
        message = f"{place.model}.{declared.field} is generated from {wanted}, and the column from {actual}."
        yield place.column(declared.name, message)
    elif not is_same:
        message = f"The default of {place.model}.{declared.field} is {wanted}, and that of the column is {actual}."
        yield place.column(declared.name, message, fix=_set_default(place, column, wanted, actual))


def _missing_default(place: Place, declared: DeclaredColumn, column: Column) -> Finding:
    fails = "every INSERT that leaves it to the database fails" if column.is_not_null else "new rows hold NULL instead"
    message = f"{place.model}.{declared.field} has the default {declared.default}, and the column has none: {fails}."
    fix = _set_default(place, column, declared.default or "", None)
    severity = LOUD if column.is_not_null else Severity.WARNING
    return place.column(declared.name, message, severity=severity, fix=fix)


def _set_default(place: Place, column: Column, wanted: str, actual: str | None) -> Fix:
    alter = f"ALTER COLUMN {quote_ident(column.name)}"
    undo = f"{alter} DROP DEFAULT" if actual is None else f"{alter} SET DEFAULT {actual}"
    return mend((place.alter(f"{alter} SET DEFAULT {wanted}"),), (place.alter(undo),))


def _counter(place: Place, declared: DeclaredColumn, column: Column, known: Known) -> Iterator[Finding]:
    """A key that Django leaves to the database is an identity column, or has some default, such as a sequence's."""
    if column.identity or (place.table.oid, column.number) in known.expressions:
        return
    name, table = quote_ident(column.name), place.table.qualified_name
    sequence = f"pg_get_serial_sequence({quote_literal(table)}, {quote_literal(column.name)})"
    yield place.column(
        declared.name,
        f"The database has to number {place.model}.{declared.field}, and does not: every INSERT fails.",
        severity=LOUD,
        fix=mend(
            (
                place.alter(f"ALTER COLUMN {name} ADD GENERATED BY DEFAULT AS IDENTITY"),
                f"SELECT setval({sequence}, (SELECT max({name}) FROM {table}));",
            ),
            (place.alter(f"ALTER COLUMN {name} DROP IDENTITY"),),
        ),
    )


def _collate(declared: DeclaredColumn) -> str:
    return f" COLLATE {quote_ident(declared.collation)}" if declared.collation else ""
