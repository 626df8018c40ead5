"""Which indexes could go because another one, which stays, does all that they do."""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from dbops.snapshot.index_shape import Shape, enforced, is_plain, is_usable, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.snapshot.rows import Index, Table
    from dbops.snapshot.schema import Schema

#: The bit of pg_index.indoption.
_DESC: Final = 1
#: How the names end that nobody chose. What a migration made is better kept, for the next one may ask for it by name.
#: What a field brings along comes first, since an entry of Meta is easier to give up: of indexes Django's own for a
#: field, then one of Meta.indexes; of constraints the server's (Django leaves it to name `unique=True` in a new
#: table), then Django's for unique_together.
_MADE_UP_FOR_INDEXES: Final = (re.compile(r"_[0-9a-f]{8}(?:_like)?\Z"), re.compile(r"_[0-9a-f]{6}_idx\Z"))
_MADE_UP_FOR_CONSTRAINTS: Final = (re.compile(r"_key\Z"), re.compile(r"_[0-9a-f]{8}_uniq\Z"))


@dataclass(frozen=True, slots=True)
class Superseded:
    """An index that could go, and the one that does its work from then on.

    `twin` is the same index again, None when there is only a wider one. Mostly it is the one that is kept.
    """

    index: Index
    kept: Index
    twin: Index | None


def superseded(schema: Schema) -> tuple[Superseded, ...]:
    """Return every index that could go, each once; what an entry names as kept is itself never listed.

    All of them may go together: whatever one of them serves or enforces, an index that stays does. The parts of a
    partitioned index are not listed, as they go with it; an index on a single partition is.
    """
    if schema not in _known:
        _known[schema] = tuple(_superseded(schema))
    return _known[schema]


#: What was found in a schema: two checks ask, and to compare all indexes takes a while.
_known: WeakKeyDictionary[Schema, tuple[Superseded, ...]] = WeakKeyDictionary()


def _superseded(schema: Schema) -> list[Superseded]:
    needed = {constraint.index_oid for constraint in schema.constraints.values() if constraint.type == "f"}
    found: list[Superseded] = []
    gone: set[int] = set()
    for table in _from_the_top(schema):
        indexes = schema.indexes_of(table.oid)
        gone.update(index.oid for index in indexes if index.parent_oid in gone)
        candidates = _Candidates(schema, [index for index in indexes if index.oid not in gone], needed)
        twins, wider = candidates.duplicates(), candidates.redundant()
        found += [Superseded(index, wider.get(twin.oid, twin), twin) for index, twin in twins]
        found += [Superseded(schema.indexes[oid], kept, None) for oid, kept in wider.items()]
        gone.update(index.oid for index, _ in twins)
        gone.update(wider)
    return found


def incomparable(schema: Schema) -> list[Index]:
    """Return the indexes of which too little could be read to compare them with the table's others."""
    return [
        index
        for table in _from_the_top(schema)
        for index in schema.indexes_of(table.oid)
        if index.parent_oid is None
        and is_usable(index)
        and not is_plain(index)
        and shape_of(index) is None
        and any(
            other is not index and other.method == index.method and is_usable(other)
            for other in schema.indexes_of(table.oid)
        )
    ]


class _Candidates:
    """The usable indexes of one table, and which of them could go."""

    def __init__(self, schema: Schema, indexes: Sequence[Index], needed: set[int | None]) -> None:
        self._schema = schema
        self._needed = needed
        usable = [index for index in indexes if is_usable(index)]
        beginnings = Counter(map(_beginning, usable))
        shapes = ((index, shape_of(index)) for index in usable if beginnings[_beginning(index)] > 1)
        self._indexes = [(index, shape) for index, shape in shapes if shape is not None]

    def duplicates(self) -> list[tuple[Index, Index]]:
        """Return the indexes that are the same as another and enforce the same, each with the best of its kind.

        They are candidates no more: among what remains, no two that could go are the same.
        """
        alike: dict[object, list[Index]] = defaultdict(list)
        for index, shape in self._indexes:
            if not index.is_exclusion:
                alike[shape, self._is_deferred(index), *enforced(index)].append(index)
        found = []
        for group in alike.values():
            best, *others = sorted(group, key=self._rank)
            found += [(index, best) for index in others if not self._must_stay(index)]
        gone = {index.oid for index, _ in found}
        self._indexes = [(index, shape) for index, shape in self._indexes if index.oid not in gone]
        return found

    def redundant(self) -> dict[int, Index]:
        """Return the index to keep by the oid of each that enforces nothing and whose keys begin, or are, the other's.

        Call it after `duplicates`: without twins nothing here is wider than itself, not even by a detour, so that of
        all that are wider than an index some are wider than which there is none.
        """
        wider = {index.oid: self._wider(index, shape) for index, shape in self._indexes if self._is_for_queries(index)}
        found = {}
        for oid, others in wider.items():
            staying = [(other, shape) for other, shape in others if not wider.get(other.oid)]
            if staying:
                found[oid], _ = min(staying, key=_width)
        return found

    def _wider(self, index: Index, shape: Shape) -> list[tuple[Index, Shape]]:
        return [(other, its) for other, its in self._indexes if other is not index and its.extends(shape)]

    def _is_for_queries(self, index: Index) -> bool:
        return not (index.is_unique or self._must_stay(index))

    def _is_deferred(self, index: Index) -> bool:
        """Return whether equal keys are found at COMMIT alone: no index, only its constraint, knows."""
        constraint = None if index.constraint_oid is None else self._schema.constraints.get(index.constraint_oid)
        return constraint is not None and constraint.is_deferred

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
        """What stays first: what has to, a constraint's, a made-up name, what reads forward, then by name."""
        return (
            not index.is_primary,
            not self._must_stay(index),
            index.constraint_oid is None,
            _choice(index),
            sum(option & _DESC for option in index.options),
            index.name,
        )


def _beginning(index: Index) -> tuple[object, ...]:
    """Return what two indexes must share if one is to serve in the other's place, and what is cheap to see."""
    return index.method, index.is_partial, index.columns[:1], index.operator_classes[:1], index.collations[:1]


def _choice(index: Index) -> int:
    """Return how much somebody chose the name: 0 where a field brought it along, 2 where it is nobody's but theirs."""
    endings = _MADE_UP_FOR_INDEXES if index.constraint_oid is None else _MADE_UP_FOR_CONSTRAINTS
    return next((rank for rank, ending in enumerate(endings) if ending.search(index.name)), len(endings))


def _width(candidate: tuple[Index, Shape]) -> tuple[object, ...]:
    index, shape = candidate
    return len(shape.keys), len(shape.included), not index.is_unique, index.name


def _from_the_top(schema: Schema) -> Iterator[Table]:
    """Iterate over all tables that belong to no extension, each before its partitions."""
    waiting = deque(schema.roots())
    while waiting:
        table = waiting.popleft()
        yield table
        waiting.extend(schema.partitions_of(table.oid))
