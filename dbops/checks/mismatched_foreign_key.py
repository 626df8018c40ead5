"""A foreign key whose column has another type than the key it refers to.

A narrower integer is a delayed failure: the parent's key grows past 2,147,483,647 without trouble, and the first row
that has to refer to such a key is refused with "integer out of range". It comes of widening a primary key (Django's
change to BigAutoField) and forgetting a table that no model of this project refers from.

Two types of different families are compared through a cast, numeric with integer or char(n) with text for instance.
The column under the cast cannot use its index, so that deleting a row of the parent reads the whole child table, and
joins are slower than they look. Two types of one family that are not integers (date and timestamp) need no cast, yet
only some values of the one have an equal in the other.

A wider integer works, and is only mentioned: it takes a few bytes more in each row.

How to fix:

Give the referring column the type of the key; where the referring one is the wider, give the key its type, or leave
them as they are. The change rewrites the column's table under an exclusive lock and checks the foreign key again.
Columns that refer to the changed one in turn are changed with it. On a large table, add a second column instead, keep
it up to date by a trigger, fill it in batches, and swap the two in one short transaction.

A view that shows the column, a trigger or a policy that names it makes ALTER TYPE fail before anything happens: drop
it first, create it again afterwards.

Not reported: lengths (varchar(20) against varchar(50)), varchar against text, cidr against inet (each pair compares
without a cast by the same operators), a domain against the type under it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Finding, Kind, Location, Severity, Tag, Target
from dbops.findings.type_changes import Feeds, change_types, is_narrower
from dbops.snapshot.amounts import format_count
from dbops.snapshot.constraint_groups import group
from dbops.snapshot.key_columns import INTEGER_BOUNDS, TableColumn, declared, referring

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dbops.findings.fix import Fix
    from dbops.snapshot.constraint_groups import ConstraintGroup
    from dbops.snapshot.rows import Sequence, SequenceValue
    from dbops.snapshot.schema import Schema

TAG = Tag.STRUCTURAL

#: Types with the same operators in the same operator family: no difference that anything could notice.
_SAME: Final = (frozenset({"character varying", "text"}), frozenset({"cidr", "inet"}))
#: Types that one operator family compares without a cast (pg_amop: datetime_ops, float_ops, text_ops).
_COMPARABLE: Final = (
    frozenset({"date", "timestamp without time zone", "timestamp with time zone"}),
    frozenset({"real", "double precision"}),
    frozenset({"name", "text", "character varying"}),
)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A referring column, the key it refers to, and where the sequence that feeds the key stands (where known)."""

    child: TableColumn
    parent: TableColumn
    last_value: int | None

    @property
    def is_wider(self) -> bool:
        """Whether the child holds every key there can be."""
        return is_narrower(self.parent.column.base_type, than=self.child.column.base_type)

    @property
    def used_ratio(self) -> float | None:
        """How far the parent's keys are on the way to the largest that the child can hold."""
        if self.is_wider or self.last_value is None or not _are_integers(self.child.column.base_type):
            return None
        return max(0.0, self.last_value / INTEGER_BOUNDS[self.child.column.base_type][1])

    @property
    def severity_and_message(self) -> tuple[Severity, str]:
        child, parent = self.child.column.base_type, self.parent.column.base_type
        types = f"{self.child.name} is {child}, {self.parent.name} is {parent}"
        if self.is_wider:
            return Severity.INFO, f"{types}: it holds every key, in more bytes than it needs"
        if _are_integers(child, parent):
            maximum = INTEGER_BOUNDS[child][1]
            stands = f", and the key stands at {format_count(self.last_value)}" if self.last_value is not None else ""
            return Severity.WARNING, f"{types}: no row can refer to a key beyond {format_count(maximum)}{stands}"
        if any({child, parent} <= family for family in _COMPARABLE):
            return Severity.WARNING, f"{types}: only some values of the one have an equal in the other"
        return Severity.WARNING, (
            f"{types}: they are compared through a cast, so no index on the referring column serves when a row that is "
            "referred to is deleted, and a join can use the index of one side only"
        )


def check(
    schema: Schema,
    sequences: tuple[Sequence, ...] | None = None,
    sequence_values: tuple[SequenceValue, ...] | None = None,
    *,
    critical_ratio: float = 0.90,  # as for a sequence: what is left may be days
) -> Iterator[Finding]:
    stands, feeds = _last_values(schema, sequences or (), sequence_values or ()), Feeds(schema, sequences or ())
    for one in group(schema, schema.foreign_keys()):
        pairs = list(_mismatched(schema, one, stands))
        if not pairs:
            continue
        judged = [pair.severity_and_message for pair in pairs]
        severity = max((severity for severity, _ in judged), key=lambda severity: severity.rank)
        ratio = max((pair.used_ratio for pair in pairs if pair.used_ratio is not None), default=None)
        if ratio is not None and ratio >= critical_ratio:
            severity = Severity.CRITICAL
        evidence = {
            "rows": schema.rows_of(one.table),
            "table_size_bytes": schema.size_bytes(one.table.oid),
            "used_ratio": None if ratio is None else round(ratio, 4),
        }
        yield Finding(
            target=Target(Kind.CONSTRAINT, one.name),
            message=f"{'; '.join(message for _, message in judged)}.",
            severity=severity,
            evidence={name: number for name, number in evidence.items() if number is not None},
            fix=_fix(schema, pairs, feeds),
            location=Location(
                table_oid=one.table.oid, columns=one.columns, constraint=one.first.name if one.is_single else None
            ),
            rolled_up=one.others,
        )


def _are_integers(*types: str) -> bool:
    return all(type_ in INTEGER_BOUNDS for type_ in types)


def _last_values(
    schema: Schema, sequences: Iterable[Sequence], values: Iterable[SequenceValue]
) -> Mapping[TableColumn, int]:
    """Return where the keys stand that count up, by the column that is fed."""
    seen = {value.sequence_oid: value.last_value for value in values}
    stands: dict[TableColumn, int] = {}
    for sequence in sequences:
        last_value = seen.get(sequence.oid)
        if last_value is None or sequence.increment < 0:
            continue
        for table_oid, number in sequence.used_by:
            column = declared(schema, table_oid, number)
            if column is not None:
                stands[column] = max(last_value, stands.get(column, last_value))
    return stands


def _mismatched(schema: Schema, one: ConstraintGroup, stands: Mapping[TableColumn, int]) -> Iterator[_Pair]:
    foreign_key = one.first
    for number, referenced in zip(foreign_key.columns, foreign_key.referenced_columns, strict=True):
        child = declared(schema, foreign_key.table_oid, number)
        parent = declared(schema, foreign_key.referenced_table_oid or 0, referenced)
        if child is None or parent is None:
            continue
        types = {child.column.base_type, parent.column.base_type}
        if len(types) > 1 and not any(types <= same for same in _SAME):
            yield _Pair(child, parent, stands.get(parent))


def _fix(schema: Schema, pairs: Iterable[_Pair], feeds: Feeds) -> Fix | None:
    """Give every column that lags behind its key's type; None where one of them cannot be changed."""
    changes: dict[TableColumn, str] = {}
    for pair in pairs:
        start, type_ = pair.child, pair.parent.column.type
        if pair.is_wider:
            start, type_ = pair.parent, pair.child.column.base_type
        for column in (start, *referring(schema, [start])):
            if column is start or _follows(column.column.base_type, start.column.base_type, type_):
                changes[column] = type_
    return change_types(schema, changes, feeds.following(changes))


def _follows(type_: str, old: str, new: str) -> bool:
    """Whether a column that refers to the changed one has to change with it."""
    return is_narrower(type_, new) if _are_integers(type_, new) else type_ == old
