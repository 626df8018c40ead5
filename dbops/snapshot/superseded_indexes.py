"""Which indexes could go because another one, which stays, does all that they do."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbops.snapshot.index_shape import Shape, is_usable, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dbops.snapshot.rows import Index, Table
    from dbops.snapshot.schema import Schema


@dataclass(frozen=True, slots=True)
class Superseded:
    """An index that could go, and the one that does its work: the same again, or one that merely contains it."""

    index: Index
    kept: Index
    is_duplicate: bool


def superseded(schema: Schema) -> list[Superseded]:
    """Return every index that could go, each once; what an entry names as kept is itself never listed.

    All of them may go together: whatever one of them serves or enforces, an index that stays does. The parts of a
    partitioned index are not listed, as they go with it; an index on a single partition is.
    """
    needed = {constraint.index_oid for constraint in schema.constraints.values() if constraint.type == "f"}
    found: list[Superseded] = []
    gone: set[int] = set()
    for table in _from_the_top(schema):
        indexes = schema.indexes_of(table.oid)
        gone.update(index.oid for index in indexes if index.parent_oid in gone)
        candidates = _Candidates(schema, (index for index in indexes if index.oid not in gone), needed)
        for one in (*candidates.duplicates(), *candidates.redundant()):
            found.append(one)
            gone.add(one.index.oid)
    return found


def incomparable(schema: Schema) -> list[Index]:
    """Return the indexes of which too little could be read to compare them with the table's others."""
    return [
        index
        for index in schema.indexes.values()
        if is_usable(index)
        and shape_of(index) is None
        and any(
            other is not index and other.method == index.method and is_usable(other)
            for other in schema.indexes_of(index.table_oid)
        )
    ]


class _Candidates:
    """The usable indexes of one table, and which of them could go."""

    def __init__(self, schema: Schema, indexes: Iterable[Index], needed: set[int | None]) -> None:
        self._schema = schema
        self._needed = needed
        shapes = ((index, shape_of(index)) for index in indexes if is_usable(index))
        self._indexes = [(index, shape) for index, shape in shapes if shape is not None]

    def duplicates(self) -> Iterator[Superseded]:
        """Iterate over the indexes that are the same as another, and enforce the same; the best of each kind stays.

        What remains of the candidates afterwards has no duplicates that could go.
        """
        alike: dict[object, list[Index]] = defaultdict(list)
        for index, shape in self._indexes:
            if not index.is_exclusion:
                alike[shape, *_enforced(index)].append(index)
        dropped: set[int] = set()
        for group in alike.values():
            kept, *others = sorted(group, key=self._rank)
            for index in others:
                if not self._must_stay(index):
                    dropped.add(index.oid)
                    yield Superseded(index, kept, is_duplicate=True)
        self._indexes = [(index, shape) for index, shape in self._indexes if index.oid not in dropped]

    def redundant(self) -> Iterator[Superseded]:
        """Iterate over the indexes that enforce nothing and whose keys begin another, or are those of a unique one."""
        wider = {index.oid: self._wider(index, shape) for index, shape in self._indexes if self._is_for_queries(index)}
        for index, _shape in self._indexes:
            staying = [(other, shape) for other, shape in wider.get(index.oid, ()) if not wider.get(other.oid)]
            if staying:
                kept, _ = min(staying, key=_width)
                yield Superseded(index, kept, is_duplicate=False)

    def _wider(self, index: Index, shape: Shape) -> list[tuple[Index, Shape]]:
        return [(other, its) for other, its in self._indexes if other is not index and its.extends(shape)]

    def _is_for_queries(self, index: Index) -> bool:
        return not (index.is_unique or self._must_stay(index))

    def _must_stay(self, index: Index) -> bool:
        """Return whether something besides queries and uniqueness hangs on `index`, or on one of its parts."""
        return (
            index.is_primary
            or index.is_exclusion
            or index.is_replica_identity
            or index.is_clustered
            or index.parent_oid is not None
            or index.oid in self._needed
            or any(self._must_stay_as_part(part) for part in self._schema.parts_of(index.oid))
        )

    def _must_stay_as_part(self, index: Index) -> bool:
        return (
            index.is_replica_identity
            or index.is_clustered
            or index.oid in self._needed
            or any(self._must_stay_as_part(part) for part in self._schema.parts_of(index.oid))
        )

    def _rank(self, index: Index) -> tuple[object, ...]:
        """What stays first: what has to, then a constraint's, then the one that reads forward, then by name."""
        return (
            not index.is_primary,
            not self._must_stay(index),
            index.constraint_oid is None,
            index.options,
            index.name,
        )


def _enforced(index: Index) -> tuple[bool, ...]:
    return index.is_unique, index.is_unique and index.nulls_not_distinct, index.is_immediate


def _width(candidate: tuple[Index, Shape]) -> tuple[object, ...]:
    index, shape = candidate
    return len(shape.keys), len(shape.included), not index.is_unique, index.name


def _from_the_top(schema: Schema) -> Iterator[Table]:
    """Iterate over all tables that belong to no extension, each before its partitions."""
    waiting = list(schema.roots())
    while waiting:
        table = waiting.pop()
        yield table
        waiting += schema.partitions_of(table.oid)
