"""Two foreign keys over the same columns that refer to the same key.

Each foreign key brings its own triggers: every INSERT and UPDATE looks for the parent once per foreign key, every
DELETE and key change of a parent looks for children once per foreign key. Most often one was made by a migration and
the other by hand or by an earlier tool, frequently to add ON DELETE CASCADE.

Then their actions differ, and both run, in the order in which the constraints were made. A foreign key without an
action (NO ACTION) that is checked at COMMIT finds nothing left to object to after the other one has deleted or
changed the rows: the action wins. One that is checked at once refuses the DELETE if it was made first, and lets it
pass if it was made last; a dump and restore can turn that round.

How to fix:

Drop the one that changes nothing by going: whatever it refuses, the other one refuses too, and no sooner. Where each
of the two does something that the other does not, the choice is yours and no fix is proposed: decide what a DELETE
shall do, keep that foreign key, and drop the other. Where the one to keep is not validated yet, validate it first.

    ALTER TABLE child DROP CONSTRAINT the_other;

Not reported: foreign keys of the same columns to different tables or different keys, and those that share only some
of their columns.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.findings.changes import DropConstraint, Statements
from dbops.findings.finding import Finding, Kind, Location, Tag, Target
from dbops.snapshot.constraint_groups import group
from dbops.snapshot.names import qualified, quote_ident

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.constraint_groups import ConstraintGroup
    from dbops.snapshot.rows import Constraint, Table
    from dbops.snapshot.schema import Schema

TAG = Tag.STRUCTURAL

_ACTIONS: Final = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
#: Actions that leave no row behind for NO ACTION to find at COMMIT.
_RESOLVING: Final = frozenset("cnd")


@dataclass(frozen=True, slots=True)
class _Spare:
    """A foreign key beside another one, and whether the other does all that it does."""

    constraint: Constraint
    kept: Constraint
    is_redundant: bool


def check(schema: Schema) -> Iterator[Finding]:
    spares = {spare.constraint.oid: spare for table in schema.tables.values() for spare in _spares(schema, table)}
    for one in group(schema, [spare.constraint for spare in spares.values()]):
        mine = [spares[constraint.oid] for _, constraint in one.members]
        yield Finding(
            target=Target(Kind.CONSTRAINT, one.name),
            message=_message(schema, mine[0]),
            evidence={"kept": _named(schema, mine[0].kept)},
            fix=_fix(one) if all(spare.is_redundant for spare in mine) else None,
            location=Location(
                table_oid=one.table.oid, columns=one.columns, constraint=one.first.name if one.is_single else None
            ),
            rolled_up=one.others,
        )


def _spares(schema: Schema, table: Table) -> Iterator[_Spare]:
    """Iterate over the foreign keys of a table that somebody declared though there is another one like it."""
    alike: dict[Hashable, list[Constraint]] = defaultdict(list)
    for constraint in schema.constraints_of(table.oid):
        if constraint.type == "f":
            pairs = frozenset(zip(constraint.columns, constraint.referenced_columns, strict=True))
            alike[constraint.referenced_table_oid, pairs, _is_temporal(constraint)].append(constraint)
    for same in alike.values():
        if len(same) > 1:
            kept = _kept(same)
            for constraint in sorted(same, key=lambda one: one.name):
                if constraint is not kept and constraint.parent_oid is None:
                    yield _Spare(constraint, kept, _is_covered(constraint, kept))


def _kept(same: Sequence[Constraint]) -> Constraint:
    """Return the one that covers the most others; of equals one that cannot be dropped, is validated, is older."""
    return min(
        same,
        key=lambda one: (
            -sum(_is_covered(other, one) for other in same if other is not one),
            one.parent_oid is None,
            not one.is_validated,
            one.oid,
        ),
    )


def _is_covered(one: Constraint, by: Constraint) -> bool:
    """Whether nothing changes when `one` goes and `by` stays."""
    if not one.is_enforced:
        return True
    return (
        by.is_enforced
        and by.is_validated >= one.is_validated
        and _strictness(by) >= _strictness(one)
        and _is_full(by) >= _is_full(one)
        and _does_the_same(one, by, "DELETE")
        and _does_the_same(one, by, "UPDATE")
    )


def _strictness(constraint: Constraint) -> int:
    """Order by when it is checked: at COMMIT, at once unless SET CONSTRAINTS says otherwise, always at once."""
    return 0 if constraint.is_deferred else 1 if constraint.is_deferrable else 2


def _does_the_same(one: Constraint, by: Constraint, event: str) -> bool:
    mine, other = _letter(one, event), _letter(by, event)
    if mine == other:
        return _action(one, event) == _action(by, event)
    return mine == "a" and (other == "r" or (other in _RESOLVING and one.is_deferred))


def _letter(constraint: Constraint, event: str) -> str:
    return constraint.on_delete if event == "DELETE" else constraint.on_update


def _action(constraint: Constraint, event: str) -> str:
    """Return the action as it is written: SET NULL and SET DEFAULT may name some of the columns."""
    match = re.search(rf" ON {event} (SET (?:NULL|DEFAULT) \([^)]*\))", constraint.definition or "")
    return match[1] if match else _ACTIONS.get(_letter(constraint, event), "")


def _is_full(constraint: Constraint) -> bool:
    """Whether a row that has only some of the columns NULL is refused."""
    return " MATCH FULL" in (constraint.definition or "")


def _is_temporal(constraint: Constraint) -> bool:
    """Whether it refers to a key over a period (PostgreSQL 18)."""
    return ", PERIOD " in (constraint.definition or "")


def _named(schema: Schema, constraint: Constraint) -> str:
    table = schema.tables.get(constraint.table_oid)
    names = (table.schema, table.name, constraint.name) if table else (constraint.name,)
    return qualified(*names)


def _message(schema: Schema, spare: _Spare) -> str:
    constraint, kept = spare.constraint, spare.kept
    message = f"It refers to the same key as {_named(schema, kept)}"
    events = [event for event in ("DELETE", "UPDATE") if _action(constraint, event) != _action(kept, event)]
    if not events:
        return f"{message}: each row written, and each parent deleted, is checked twice."
    differ = " and ".join(
        f"ON {event} is {_action(constraint, event)} here and {_action(kept, event)} there" for event in events
    )
    if spare.is_redundant:
        return f"{message}, and adds only a second check: {differ}, and what {quote_ident(kept.name)} does comes first."
    return f"{message}, and they disagree: {differ}; both run."


def _fix(one: ConstraintGroup) -> Fix | None:
    definitions = [constraint.definition for _, constraint in one.members]
    if None in definitions:
        return None
    if one.is_single and one.table.kind == "r" and one.first.definition is not None:
        table = one.table
        return DropConstraint(
            schema=table.schema, table=table.name, name=one.first.name, definition=one.first.definition
        ).fix()
    drops, adds = [], []
    for table, constraint in one.members:
        name = quote_ident(constraint.name)
        drops.append(f"ALTER TABLE {table.qualified_name} DROP CONSTRAINT {name};")
        adds.append(f"ALTER TABLE {table.qualified_name} ADD CONSTRAINT {name} {constraint.definition};")
    return Statements(sql=tuple(drops), undo=tuple(adds)).fix()
