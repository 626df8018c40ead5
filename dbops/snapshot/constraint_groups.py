"""Constraints, with those that every partition of a table declares for itself taken as one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbops.snapshot.names import qualified, quote_ident

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from dbops.snapshot.rows import Constraint, Table
    from dbops.snapshot.schema import Schema


@dataclass(frozen=True, slots=True)
class ConstraintGroup:
    """A constraint, or the same one of several partitions: each with the table that declares it.

    `table` is the table of a single constraint, or the topmost table that the partitions belong to; `columns` are the
    constrained columns' names.
    """

    table: Table
    columns: tuple[str, ...]
    members: tuple[tuple[Table, Constraint], ...]

    @property
    def first(self) -> Constraint:
        """One that stands for all."""
        return self.members[0][1]

    @property
    def is_single(self) -> bool:
        """Whether it is one constraint of a table that is no partition."""
        return not self.members[0][0].is_partition

    @property
    def name(self) -> str:
        """The target: the constraint's name, or `table(columns)` for foreign keys that only partitions have."""
        if self.first.type == "f" and not self.is_single:
            return f"{self.table.qualified_name}({', '.join(quote_ident(column) for column in self.columns)})"
        return self._names[0]

    @property
    def others(self) -> tuple[str, ...]:
        """The further targets that `name` stands for."""
        return tuple(name for name in self._names if name != self.name)

    @property
    def _names(self) -> list[str]:
        return [qualified(table.schema, table.name, constraint.name) for table, constraint in self.members]


def group(schema: Schema, constraints: Iterable[Constraint]) -> Iterator[ConstraintGroup]:
    """Iterate over `constraints`, the partitions' rolled up, without those of extensions' tables.

    Partitions of one table share a group when their constraints are of one type, over columns of the same names, and
    refer to the same columns or say the same.
    """
    groups: dict[Hashable, list[tuple[Table, Constraint]]] = defaultdict(list)
    for constraint in constraints:
        table = schema.tables.get(constraint.table_oid)
        if table is None or table.extension is not None:
            continue
        key: Hashable = constraint.oid
        if table.is_partition:
            said = constraint.definition if constraint.referenced_table_oid is None else None
            referred = (constraint.referenced_table_oid, constraint.referenced_columns)
            key = (schema.root(table).oid, constraint.type, _columns(schema, constraint), referred, said)
        groups[key].append((table, constraint))
    for members in groups.values():
        members.sort(key=lambda member: (member[0].qualified_name, member[1].name))
        table, constraint = members[0]
        yield ConstraintGroup(schema.root(table), _columns(schema, constraint), tuple(members))


def _columns(schema: Schema, constraint: Constraint) -> tuple[str, ...]:
    return schema.column_names(constraint.table_oid, constraint.columns)
