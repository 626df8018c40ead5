"""Where each sequence stands, and the keys ahead of it: read object by object, as far as rights and locks allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dbops.collect.batches import LOCKED, parted, read_each
from dbops.snapshot import rows
from dbops.snapshot.names import quote_ident
from dbops.snapshot.sequence_facts import next_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from dbops.collect.session import Session

_INTEGERS: Final = frozenset({"smallint", "integer", "bigint"})


def read_sequence_values(session: Session, seen: Mapping[str, Any]) -> tuple[rows.SequenceValue, ...]:
    """Return where every sequence stands: one row each, with the reason where it could not be read."""
    locked = {relation.oid for relation in seen["locked_relations"]}
    reasons: dict[int, str] = {}
    readable: list[rows.Sequence] = []
    for sequence in seen["sequences"]:
        if not sequence.is_readable:
            reasons[sequence.oid] = "no SELECT on it"
        elif sequence.oid in locked:
            reasons[sequence.oid] = LOCKED
        else:
            readable.append(sequence)
    answers = read_each(session, [f"last_value, is_called FROM {sequence.qualified_name}" for sequence in readable])
    found = [
        rows.SequenceValue(sequence_oid=oid, last_value=None, is_called=None, unseen=reason)
        for oid, reason in reasons.items()
    ]
    for sequence, answer in zip(readable, answers, strict=True):
        values, reason = parted(answer)
        found.append(
            rows.SequenceValue(
                sequence_oid=sequence.oid,
                last_value=values.get("last_value"),
                is_called=values.get("is_called"),
                unseen=reason,
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Feed:
    """A sequence and an integer column that takes its values from it."""

    sequence: rows.Sequence
    value: rows.SequenceValue
    table: rows.Table
    column: rows.Column

    def obstacle(self, locked: Collection[int], indexed: Collection[tuple[int, int | None]]) -> str | None:
        """Return why the column's keys cannot be read, None when they can."""
        if self.value.unseen is not None:
            return f"its sequence was not read: {self.value.unseen}"
        if not (self.table.is_readable or self.column.is_readable):
            return "no SELECT on it"
        if self.table.oid in locked:
            return LOCKED
        if (self.table.oid, self.column.number) not in indexed:
            return "no index leads with it, so that finding its last key would read the whole table"
        return None

    def extreme(self) -> str:
        """Return what to SELECT for the last key in the direction in which the sequence counts."""
        last = "max" if self.sequence.increment > 0 else "min"
        return f"(SELECT {last}({quote_ident(self.column.name)}) FROM {self.table.own_rows})::bigint AS extreme_key"

    def collision(self, extreme_key: int | None) -> str | None:
        """Return what to SELECT for the first existing key that the sequence will hand out.

        None where the extreme key shows that there is no such key: so it is almost everywhere.
        """
        following, step = next_value(self.sequence, self.value), self.sequence.increment
        if following is None or extreme_key is None:
            return None
        if (extreme_key < following) if step > 0 else (extreme_key > following):
            return None
        column = quote_ident(self.column.name)
        beyond, first = (">=", "min") if step > 0 else ("<=", "max")
        on_step = f" AND mod({column}::numeric - ({following}), {step}) = 0" if abs(step) > 1 else ""
        return (
            f"(SELECT {first}({column}) FROM {self.table.own_rows} "
            f"WHERE {column} {beyond} ({following}){on_step})::bigint AS first_collision"
        )

    def row(self, answer: Mapping[str, Any] | str) -> rows.SequenceKey:
        """Return the section's row from what was read, or from the reason why it was not."""
        values, reason = parted(answer)
        return rows.SequenceKey(
            sequence_oid=self.sequence.oid,
            table_oid=self.table.oid,
            column=self.column.number,
            extreme_key=values.get("extreme_key"),
            first_collision=values.get("first_collision"),
            unseen=reason,
        )


def read_sequence_keys(session: Session, seen: Mapping[str, Any]) -> tuple[rows.SequenceKey, ...]:
    """Return, for every integer column that a sequence feeds, its extreme key and the first key in the sequence's way.

    An index must lead with the column: without one the look would read the whole table, so it is not done.
    """
    locked = {relation.oid for relation in seen["locked_relations"]}
    indexed = {(index.table_oid, index.sorts_all_by) for index in seen["indexes"]}
    found: list[rows.SequenceKey] = []
    readable: list[_Feed] = []
    for feed in _feeds(seen):
        reason = feed.obstacle(locked, indexed)
        if reason is None:
            readable.append(feed)
        else:
            found.append(feed.row(reason))
    answers = read_each(session, [feed.extreme() for feed in readable])
    further: dict[int, tuple[Mapping[str, Any], str]] = {}
    for place, (feed, answer) in enumerate(zip(readable, answers, strict=True)):
        if isinstance(answer, str):
            continue
        query = feed.collision(answer["extreme_key"])
        if query is not None:
            further[place] = answer, query
    collisions = read_each(session, [query for _, query in further.values()])
    for (place, (extreme, _)), collision in zip(further.items(), collisions, strict=True):
        answers[place] = collision if isinstance(collision, str) else {**extreme, **collision}
    found += [feed.row(answer) for feed, answer in zip(readable, answers, strict=True)]
    return tuple(found)


def _feeds(seen: Mapping[str, Any]) -> Iterator[_Feed]:
    tables = {table.oid: table for table in seen["tables"]}
    columns = {(column.table_oid, column.number): column for column in seen["columns"]}
    values = {value.sequence_oid: value for value in seen["sequence_values"]}
    for sequence in seen["sequences"]:
        for table_oid, number in sequence.used_by:
            table, column = tables.get(table_oid), columns.get((table_oid, number))
            if table is not None and column is not None and column.base_type in _INTEGERS:
                yield _Feed(sequence, values[sequence.oid], table, column)
