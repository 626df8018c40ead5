"""Which of a table's indexes and constraints is the declared one: found by what it is, whatever it is called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from dbops.snapshot.declared_rows import DeclaredConstraint, DeclaredIndex
from dbops.snapshot.index_shape import is_usable
from dbops.snapshot.rows import Constraint, Index
from dbops.snapshot.spellings import Question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dbops.snapshot.rows import Table
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.spellings import Spellings

_Wanted = TypeVar("_Wanted", DeclaredIndex, DeclaredConstraint)
_Found = TypeVar("_Found", Index, Constraint)
_METHOD: Final = re.compile(r"USING (\w+)")


class State(Enum):
    """What has become of something declared."""

    SAME = auto()
    DIFFERENT = auto()
    COVERED = auto()
    MISSING = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Match(Generic[_Wanted, _Found]):
    """Something declared, and what stands in its place: `found` is the same, differs, covers or cannot be compared."""

    declared: _Wanted
    state: State
    found: _Found | None = None
    why: str = ""


def match_indexes(
    schema: Schema, table: Table, declared: Sequence[DeclaredIndex], spellings: Spellings
) -> Iterator[Match[DeclaredIndex, Index]]:
    """Iterate over the declared indexes of a table with what stands for each."""
    search = _Search[DeclaredIndex, Index](
        table,
        spellings,
        schema.indexes_of(table.oid),
        kind="index",
        text=_index_text,
        fits=lambda one, index: one.is_unique == index.is_unique and _method(one) == index.method,
    )
    for match in search.matches(declared, decisive=lambda one: bool(one.columns)):
        cover = _cover(schema, match.declared, schema.indexes_of(table.oid)) if match.state is State.MISSING else None
        yield match if cover is None else Match(match.declared, State.COVERED, cover)


def match_constraints(
    schema: Schema, table: Table, declared: Sequence[DeclaredConstraint], spellings: Spellings
) -> Iterator[Match[DeclaredConstraint, Constraint]]:
    """Iterate over the declared checks and exclusions of a table with what stands for each."""
    search = _Search[DeclaredConstraint, Constraint](
        table,
        spellings,
        schema.constraints_of(table.oid),
        kind="constraint",
        text=lambda constraint: constraint.definition,
        fits=lambda one, constraint: one.type == constraint.type and constraint.is_enforced,
    )
    yield from search.matches([one for one in declared if one.type in "cx"], decisive=lambda _one: False)


def unique_index(schema: Schema, table: Table, declared: DeclaredConstraint) -> Index | None:
    """Return the index that makes the columns of a declared key or unique constraint unique together, in any order.

    That of a partitioned table has to contain the partition key besides: it is as near as the server comes.
    """
    wanted = set(declared.columns)
    allowed = wanted | {column.name for column in schema.columns_of(table.oid) if column.is_partition_key}
    takes_nulls = "NULLS NOT DISTINCT" not in declared.definition
    is_deferred = "DEFERRABLE" in declared.definition
    fitting = [
        index
        for index in schema.indexes_of(table.oid)
        if index.is_unique
        and not (index.is_partial or index.has_expressions)
        and wanted <= set(schema.column_names(table.oid, index.keys)) <= allowed
        and (takes_nulls is not index.nulls_not_distinct or index.is_primary)
        and (index.is_primary or declared.type == "u")
    ]
    return min(fitting, key=lambda index: (index.is_immediate is is_deferred, index.oid), default=None)


class _Search(Generic[_Wanted, _Found]):
    """One table's search for what is declared, among `found`: what can be the same `fits`, and is by its `text`."""

    def __init__(
        self,
        table: Table,
        spellings: Spellings,
        found: Iterable[_Found],
        *,
        kind: str,
        text: Callable[[_Found], str | None],
        fits: Callable[[_Wanted, _Found], bool],
    ) -> None:
        self._table, self._kind, self._spellings = table, kind, spellings
        self._text: Callable[[_Found], str | None] = text
        self._fits: Callable[[_Wanted, _Found], bool] = fits
        self._left: dict[int, _Found] = {one.oid: one for one in found}

    def matches(
        self, declared: Sequence[_Wanted], *, decisive: Callable[[_Wanted], bool]
    ) -> Iterator[Match[_Wanted, _Found]]:
        """Iterate over what becomes of `declared`; of a `decisive` one the spelling alone tells whether it is there."""
        rest: list[_Wanted] = []
        taken = set()
        for one in declared:
            same = next((found for found in self._left.values() if self._is_evident(one, found)), None)
            if same is None:
                rest.append(one)
            else:
                taken.add(same.oid)
                yield Match(one, State.SAME, same)
        for oid in taken:
            del self._left[oid]
        for one in rest:
            yield self._named(one) if decisive(one) else self._asked(one)

    def _question(self, text: str) -> Question:
        return Question(self._table.oid, self._kind, text)

    def _is_evident(self, one: _Wanted, found: _Found) -> bool:
        text = self._text(found)
        if text is None or not self._fits(one, found):
            return False
        return self._spellings.is_evident(one.definition, text)

    def _named(self, one: _Wanted) -> Match[_Wanted, _Found]:
        named = next((found for found in self._left.values() if found.name == one.name), None)
        return Match(one, State.MISSING if named is None else State.DIFFERENT, named)

    def _asked(self, one: _Wanted) -> Match[_Wanted, _Found]:
        """Compare with what has the same name, else with all that is left and can be it."""
        named = next((found for found in self._left.values() if found.name == one.name), None)
        candidates = [named] if named is not None else [f for f in self._left.values() if self._fits(one, f)]
        unknown: Match[_Wanted, _Found] | None = None
        for found in candidates:
            text = self._text(found)
            if text is None:
                unknown = Match(one, State.UNKNOWN, found, f"{self._table.qualified_name} is locked by another session")
                continue
            same = self._fits(one, found) and self._spellings.same(self._question(one.definition), self._question(text))
            if same is True:
                del self._left[found.oid]
                return Match(one, State.SAME, found)
            if isinstance(same, str):
                unknown = Match(one, State.UNKNOWN, found, same)
        if unknown is not None:
            return unknown
        return Match(one, State.MISSING if named is None else State.DIFFERENT, named)


def _index_text(index: Index) -> str | None:
    """Return an index's definition from USING on, None when it could not be read."""
    if index.definition is None:
        return None
    _, using, rest = index.definition.partition(" USING ")
    return f"USING {rest}" if using else index.definition


def _method(index: DeclaredIndex) -> str:
    found = _METHOD.match(index.definition)
    return found[1] if found else ""


def _cover(schema: Schema, declared: DeclaredIndex, indexes: Iterable[Index]) -> Index | None:
    """Return a usable index over all rows that begins with the declared columns, and so serves what they would."""
    count = len(declared.columns)
    if declared.is_unique or not count:
        return None
    for index in indexes:
        is_whole = is_usable(index) and index.method == "btree" and not index.is_partial and index.key_count >= count
        is_ordinary = "_pattern_ops" not in (index.definition or "_pattern_ops")
        if is_whole and is_ordinary and schema.column_names(index.table_oid, index.keys[:count]) == declared.columns:
            return index
    return None
