"""A sequence that is about to hand out a key that is already taken.

A sequence knows nothing of the rows. When rows come in with their keys, by a restore, by loaddata, by COPY, or by
code that sets the id, the sequence stays where it was, and the INSERT that takes the first taken value from it fails
with "duplicate key value violates unique constraint". Each failure moves the sequence on by one, so that a table that
seems to heal itself after some errors is one that fails as many times as it has rows in the way.

How to fix:

Set the sequence to the largest key. That is one statement and takes a moment, and it leaves a sequence alone that is
ahead already, so that it can be run while rows are written. For the tables of a Django app, manage.py
sqlsequencereset APP_LABEL prints a statement for each that does so when nobody writes. After a restore or loaddata,
make it part of the procedure.

Where that would leave the sequence nothing to give, or would use up much of it for the sake of one key far ahead, no
fix is proposed: look at the rows with the largest keys. Nor is there one for a sequence that cycles, since it comes
back to the taken keys by itself.

A subscriber of logical replication gets the rows and never the sequences, so that all of them lag. That harms nobody
as long as the rows come from there, and is only mentioned: set them when the last rows have come, right before the
subscriber becomes the primary.

Not reported: a taken key in a column that is not unique by itself (nothing fails), keys that the sequence steps over
(several writers with INCREMENT BY 2, say), keys it has passed already, columns whose default makes something else of
the value, keys in a table that inherits from this one. A taken key far ahead, such as a row with the id 999999999
that stands for something, is only mentioned: the INSERT that meets it fails once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Basis, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.findings.sequence_fixes import catch_up, put_back
from dbops.snapshot.amounts import format_count
from dbops.snapshot.key_columns import TableColumn, declared, is_unique_alone
from dbops.snapshot.sequence_facts import next_value, own_end, room, type_end

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dbops.findings.fix import Fix
    from dbops.snapshot.replication_rows import SubscribedTable
    from dbops.snapshot.rows import Sequence, SequenceKey, SequenceValue
    from dbops.snapshot.schema import Schema

TAG = Tag.LIVE

_TOO_EARLY: Final = "run it when the last rows have come, right before this becomes the primary"
#: Moving a sequence on by so much of its way is worth a thought.
_MUCH_RATIO: Final = 0.1


@dataclass(frozen=True, slots=True)
class _Collision:
    """A key in the way of a sequence: `inserts` values are free before it.

    `is_replicated` says that the rows come from another server, which gives them their keys.
    """

    sequence: Sequence
    last_value: int
    is_called: bool
    column: TableColumn
    next_value: int
    taken: int
    inserts: int
    is_replicated: bool


def check(
    schema: Schema,
    sequences: tuple[Sequence, ...],
    sequence_values: tuple[SequenceValue, ...],
    sequence_keys: tuple[SequenceKey, ...],
    subscribed_tables: tuple[SubscribedTable, ...] | None = None,
    *,
    near_inserts: int = 100_000,  # further ahead it is no remains of a restore, but a row with a key of its own
) -> Iterator[Finding | Unseen]:
    known = {sequence.oid: sequence for sequence in sequences if sequence.extension is None}
    values = {value.sequence_oid: value for value in sequence_values}
    replicated = _replicated(schema, subscribed_tables or ())
    extremes: dict[int, dict[TableColumn, int]] = {}
    nearest: dict[int, _Collision] = {}
    for key in sequence_keys:
        sequence, column = known.get(key.sequence_oid), declared(schema, key.table_oid, key.column)
        if sequence is None or column is None or not is_unique_alone(schema, key.table_oid, key.column):
            continue
        if key.unseen is not None:
            yield Unseen(column.table.qualified_name, key.unseen)
            continue
        if key.extreme_key is not None:
            found = extremes.setdefault(sequence.oid, {})
            found[column] = _further(sequence, key.extreme_key, found.get(column, key.extreme_key))
        collision = _collision(
            sequence,
            values.get(sequence.oid),
            column,
            key.first_collision,
            is_replicated=column.table.oid in replicated,
        )
        if collision and (sequence.oid not in nearest or collision.inserts < nearest[sequence.oid].inserts):
            nearest[sequence.oid] = collision
    for oid, collision in nearest.items():
        yield _finding(collision, extremes.get(oid, {}), near_inserts)


def _further(sequence: Sequence, one: int, other: int) -> int:
    return max(one, other) if sequence.increment > 0 else min(one, other)


def _replicated(schema: Schema, subscribed_tables: Iterable[SubscribedTable]) -> frozenset[int]:
    """Return the tables that subscriptions fill, or any partition of them."""
    known = (schema.tables.get(row.table_oid) for row in subscribed_tables)
    return frozenset(schema.root(table).oid for table in known if table is not None)


def _collision(
    sequence: Sequence, value: SequenceValue | None, column: TableColumn, taken: int | None, *, is_replicated: bool
) -> _Collision | None:
    following = next_value(sequence, value) if value else None
    if value is None or value.last_value is None or following is None or taken is None:
        return None
    return _Collision(
        sequence=sequence,
        last_value=value.last_value,
        is_called=bool(value.is_called),
        column=column,
        next_value=following,
        taken=taken,
        inserts=(taken - following) // sequence.increment,
        is_replicated=is_replicated,
    )


def _finding(collision: _Collision, extremes: Mapping[TableColumn, int], near_inserts: int) -> Finding:
    sequence, column, inserts = collision.sequence, collision.column, collision.inserts
    table, taken = column.table.qualified_name, format_count(collision.taken)
    if inserts == 0:
        severity = Severity.CRITICAL
        message = f"The next INSERT into {table} fails: the sequence gives {taken}, and that key exists"
    else:
        severity = Severity.WARNING if inserts <= near_inserts else Severity.INFO
        message = (
            f"{format_count(inserts)} values from now an INSERT into {table} gets {taken} and fails: that key exists"
        )
    evidence = {"next_value": collision.next_value, "first_collision": collision.taken, "inserts_left": inserts}
    extreme = extremes.get(column)
    if extreme is not None:
        evidence["extreme_key"] = extreme
        if extreme != collision.taken:
            message += f"; keys go {'up' if sequence.increment > 0 else 'down'} to {format_count(extreme)}"
    if collision.is_replicated:
        severity = Severity.INFO
        message += ". Its rows come by a subscription, which moves no sequence: set it before this becomes the primary"
    return Finding(
        target=Target(Kind.SEQUENCE, sequence.qualified_name),
        message=f"{message}.",
        severity=severity,
        basis=Basis.MEASURED,
        evidence=evidence,
        fix=_fix(collision, extremes, is_far=inserts > near_inserts),
        location=Location(table_oid=column.table.oid, columns=(column.column.name,)),
    )


def _fix(collision: _Collision, extremes: Mapping[TableColumn, int], *, is_far: bool) -> Fix | None:
    """Move the sequence on to the last key, and never back.

    None where that would leave it nothing to give, or where it is much to pay for a key that is far away (`is_far`).
    """
    sequence = collision.sequence
    sign = 1 if sequence.increment > 0 else -1
    if not extremes or sequence.cycles:
        return None
    extreme = sign * max(sign * key for key in extremes.values())
    ends = [own_end(sequence), *(type_end(column.column.base_type, sign) for column in extremes)]
    limit = min((end for end in ends if end is not None), key=lambda end: sign * end)
    left = room(sequence, extreme, limit=limit)
    uses_much = left.used_ratio >= _MUCH_RATIO
    if not left.remaining or (uses_much and is_far):
        return None
    much = f"moves the sequence on to {format_count(extreme)}, which leaves it {format_count(left.remaining)} values"
    cautions = [much] * uses_much + [_TOO_EARLY] * collision.is_replicated
    return Statements(
        sql=(catch_up(sequence, extremes),),
        undo=(put_back(sequence, collision.last_value, is_called=collision.is_called),),
        is_local=True,
    ).fix(caution="; ".join(cautions) or None)
