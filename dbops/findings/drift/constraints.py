"""Constraints that the models declare and the database has not, or has otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.drift.place import LOUD, drop_constraint, mend
from dbops.findings.finding import Unseen
from dbops.snapshot.declared_matches import State, match_constraints, unique_index
from dbops.snapshot.names import qualified, quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.findings.drift.place import Place
    from dbops.findings.finding import Finding
    from dbops.findings.fix import Fix
    from dbops.snapshot.declared_rows import DeclaredConstraint
    from dbops.snapshot.rows import Constraint, Index, Table
    from dbops.snapshot.spellings import Spellings

_ACTIONS: Final = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_DEFERRABLE: Final = "DEFERRABLE INITIALLY DEFERRED"


def differing_constraints(
    place: Place, declared: Sequence[DeclaredConstraint], spellings: Spellings, claimed: set[int]
) -> Iterator[Finding | Unseen]:
    """Iterate over what is different; `claimed` gets the oids of what stands for something declared."""
    for one in declared:
        if one.type in "pu":
            yield from _unique(place, one, claimed)
        elif one.type == "f":
            yield from _foreign_key(place, one, claimed)
    for match in match_constraints(place.schema, place.table, declared, spellings):
        if match.found is not None:
            claimed.add(match.found.oid)
        if match.state is State.UNKNOWN:
            target = qualified(place.table.schema, place.table.name, match.declared.name)
            yield Unseen(target, match.why)
        elif match.state is not State.SAME:
            yield _condition(place, match.declared, match.found)


def _unique(place: Place, declared: DeclaredConstraint, claimed: set[int]) -> Iterator[Finding]:
    index = unique_index(place.schema, place.table, declared)
    if index is not None:
        claimed.update(oid for oid in (index.oid, index.constraint_oid) if oid is not None)
        is_deferred = "DEFERRABLE" in declared.definition
        if index.is_immediate is is_deferred and not index.is_primary:
            yield _otherwise_deferred(place, declared, index, is_deferred=is_deferred)
        return
    listed = ", ".join(declared.columns)
    what = "the primary key" if declared.type == "p" else "unique together" if len(declared.columns) > 1 else "unique"
    message = (
        f"{listed} {'are' if len(declared.columns) > 1 else 'is'} {what} of {place.model}, and nothing in the database "
        "sees to it: rows that are to be there once can be stored twice."
    )
    columns = place.schema.columns_of(place.table.oid)
    has_key = any(one.type == "p" for one in place.schema.constraints_of(place.table.oid))
    # A partitioned table's has to contain the partition key: with which columns more is for people to say.
    is_possible = {one.name for one in columns if one.is_partition_key} <= set(declared.columns)
    can_be_made = is_possible and not (declared.type == "p" and has_key)
    fix = _make_unique(place, declared) if can_be_made else None
    yield place.constraint(declared.name, declared.columns, message, severity=LOUD, fix=fix)


def _make_unique(place: Place, declared: DeclaredConstraint) -> Fix:
    name, undo = quote_ident(declared.name), (place.alter(drop_constraint(declared.name)),)
    if place.table.kind == "p":
        add = place.alter(f"ADD CONSTRAINT {name} {declared.definition}")
        return mend((add,), undo, caution="builds an index of every partition under an exclusive lock")
    kind, _, rest = declared.definition.partition("(")
    columns, _, deferrable = rest.rpartition(")")
    nulls = " NULLS NOT DISTINCT" if "NULLS NOT DISTINCT" in kind else ""
    kept = "PRIMARY KEY" if declared.type == "p" else "UNIQUE"
    return mend(
        (
            f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {place.table.qualified_name} ({columns}){nulls};",
            place.alter(f"ADD CONSTRAINT {name} {kept} USING INDEX {name}{deferrable}"),
        ),
        undo,
        in_transaction=False,
        caution="fails, and leaves an invalid index to be dropped, where rows are there twice",
    )


def _otherwise_deferred(place: Place, declared: DeclaredConstraint, index: Index, *, is_deferred: bool) -> Finding:
    message = (
        f"{place.model} wants {declared.name} checked {'at the end of the transaction' if is_deferred else 'at once'}, "
        f"and the database checks {index.qualified_name} {'at once' if is_deferred else 'at the end of it'}."
    )
    return place.constraint(declared.name, declared.columns, message)


def _foreign_key(place: Place, declared: DeclaredConstraint, claimed: set[int]) -> Iterator[Finding]:
    target = place.schema.resolve(declared.target_table or "")
    column = place.schema.column_named(place.table.oid, declared.columns[0])
    if target is None or column is None:
        return
    found = [
        one
        for one in place.schema.constraints_of(place.table.oid)
        if one.type == "f" and one.columns == (column.number,) and one.parent_oid is None
    ]
    fitting = [one for one in found if _refers(place, one, target, declared)]
    claimed.update(one.oid for one in fitting)
    if fitting and not any(one.is_enforced for one in fitting):
        yield _not_enforced(place, declared, fitting[0])
    elif not fitting:
        yield _missing_foreign_key(place, declared, found, target)
    elif all(declared.on_delete not in {"a", one.on_delete} for one in fitting):
        yield _other_action(place, declared, fitting[0], target)
    elif not any(one.is_deferrable for one in fitting):
        yield _not_deferrable(place, declared, fitting[0])


def _refers(place: Place, found: Constraint, target: Table, declared: DeclaredConstraint) -> bool:
    referred = place.schema.tables.get(found.referenced_table_oid or 0)
    if referred is None or place.schema.root(referred).oid != place.schema.root(target).oid:
        return False
    return place.schema.column_names(referred.oid, found.referenced_columns) == (declared.target_column,)


def _not_enforced(place: Place, declared: DeclaredConstraint, found: Constraint) -> Finding:
    message = f"The foreign key {found.name} of {place.model} is NOT ENFORCED: rows may point to nothing."
    alter = f"ALTER CONSTRAINT {quote_ident(found.name)}"
    fix = mend(
        (place.alter(f"{alter} ENFORCED"),),
        (place.alter(f"{alter} NOT ENFORCED"),),
        caution="looks at all rows under a lock that stops writes, and fails where one points to nothing",
    )
    return place.constraint(found.name, declared.columns, message, fix=fix)


def _missing_foreign_key(
    place: Place, declared: DeclaredConstraint, others: Sequence[Constraint], target: Table
) -> Finding:
    refers = f"{place.model} refers by {declared.columns[0]} to {target.qualified_name}"
    if others:  # which rows each of the two lets in is for a person to decide
        message = f"{refers}, and the foreign key there is another: {others[0].definition}."
        return place.constraint(declared.name, declared.columns, message)
    message = f"{refers}, and the database has no foreign key there: rows may point to nothing."
    fix = _add(place, declared.name, _definition(declared, target), "fails to validate where rows point to nothing")
    return place.constraint(declared.name, declared.columns, message, fix=fix)


def _other_action(place: Place, declared: DeclaredConstraint, found: Constraint, target: Table) -> Finding:
    wanted, actual = _ACTIONS[declared.on_delete], _ACTIONS[found.on_delete]
    message = (
        f"The database is to {wanted} rows of {place.model} when the row that {declared.columns[0]} refers to is "
        f"deleted, and its foreign key says {actual}: Django leaves it to the database, so that deleting fails."
    )
    drop, name = drop_constraint(found.name), quote_ident(found.name)
    validate = place.alter(f"VALIDATE CONSTRAINT {name}")
    unproved = "" if place.table.kind == "p" else " NOT VALID"
    old = found.definition or ""
    new = f"{drop}, ADD CONSTRAINT {name} {_definition(declared, target)}"
    back = f"{drop}, ADD CONSTRAINT {name} {old.removesuffix(' NOT VALID')}"
    tail = (validate,) if unproved else ()
    return place.constraint(
        found.name,
        declared.columns,
        message,
        fix=mend(
            (place.alter(new + unproved), *tail),
            (place.alter(back + unproved), *tail) if old else (),
            in_transaction=False,
        ),
    )


def _not_deferrable(place: Place, declared: DeclaredConstraint, found: Constraint) -> Finding:
    message = (
        f"Django relies on foreign keys that are checked at the end of the transaction, and {found.name} is checked at "
        "once: loaddata and saves in another order fail."
    )
    alter = f"ALTER CONSTRAINT {quote_ident(found.name)}"
    fix = mend((place.alter(f"{alter} {_DEFERRABLE}"),), (place.alter(f"{alter} NOT DEFERRABLE"),))
    return place.constraint(found.name, declared.columns, message, fix=fix)


def _definition(declared: DeclaredConstraint, target: Table) -> str:
    action = "" if declared.on_delete == "a" else f" ON DELETE {_ACTIONS[declared.on_delete]}"
    columns, referred = quote_ident(declared.columns[0]), quote_ident(declared.target_column or "")
    return f"FOREIGN KEY ({columns}) REFERENCES {target.qualified_name} ({referred}){action} {_DEFERRABLE}"


def _condition(place: Place, declared: DeclaredConstraint, found: Constraint | None) -> Finding:
    """A check or an exclusion that is missing, or says something else under the same name."""
    says = f"{place.model} declares {declared.name} as {declared.definition}"
    if found is None:
        message = f"{says}, and the database has no such constraint: what it forbids can be stored."
        if declared.type == "c":
            fix = _add(place, declared.name, declared.definition, "fails to validate where rows break it")
        else:
            add = place.alter(f"ADD CONSTRAINT {quote_ident(declared.name)} {declared.definition}")
            undo = place.alter(drop_constraint(declared.name))
            fix = mend((add,), (undo,), caution="builds its index under an exclusive lock; fails where rows break it")
        return place.constraint(declared.name, declared.columns, message, fix=fix)
    message = f"{says}, and the database has {found.definition}."
    return place.constraint(declared.name, declared.columns, message, fix=_redefine(place, declared, found))


def _redefine(place: Place, declared: DeclaredConstraint, found: Constraint) -> Fix | None:
    if declared.type != "c" or found.type != "c" or found.definition is None:
        return None
    drop, name = drop_constraint(found.name), quote_ident(found.name)
    validate = place.alter(f"VALIDATE CONSTRAINT {name}")
    return mend(
        (place.alter(f"{drop}, ADD CONSTRAINT {name} {declared.definition} NOT VALID"), validate),
        # As it was: proved, left unproved, or not enforced at all.
        (place.alter(f"{drop}, ADD CONSTRAINT {name} {found.definition}"),),
        in_transaction=False,
        caution="fails to validate where rows break it",
    )


def _add(place: Place, name: str, definition: str, caution: str) -> Fix:
    """Add a constraint in two steps, so that the rows are looked at while others write; a partitioned table has one."""
    add, undo = f"ADD CONSTRAINT {quote_ident(name)} {definition}", (place.alter(drop_constraint(name)),)
    if place.table.kind == "p":
        return mend((place.alter(add),), undo, caution=f"{caution}; nobody can write meanwhile")
    validate = place.alter(f"VALIDATE CONSTRAINT {quote_ident(name)}")
    return mend((place.alter(f"{add} NOT VALID"), validate), undo, in_transaction=False, caution=caution)
