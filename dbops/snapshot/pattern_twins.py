"""The second index that Django makes on a text column, for LIKE, beside the plain or unique one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.snapshot.index_shape import is_usable
from dbops.snapshot.query_indexes import query_indexes
from dbops.snapshot.superseded_indexes import superseded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dbops.snapshot.integrity_rows import Collation
    from dbops.snapshot.rows import Index
    from dbops.snapshot.schema import Schema

#: text_pattern_ops and varchar_pattern_ops of b-trees (pg_opclass.dat).
_PATTERN: Final = frozenset({4217, 4218})
#: bpchar_pattern_ops.
_OTHER_PATTERN: Final = 4219
#: The collations C and POSIX (pg_collation.dat), and the database's own.
_C: Final = frozenset({950, 951})
_DATABASE: Final = 100


@dataclass(frozen=True, slots=True)
class PatternTwin:
    """An index for patterns, and the plain one on the same column; `is_needless`: by its collation that serves both."""

    twin: Index
    plain: Index
    is_needless: bool


def pattern_twins(schema: Schema, collations: Iterable[Collation] | None) -> Iterator[PatternTwin]:
    """Iterate over the twins of plain b-trees on one column; the best plain one is named, a unique one first.

    Left out are those of which others say that they, or all their plain ones, should go.
    """
    bytewise = _C | ({_DATABASE} if any(_is_bytewise(one) for one in collations or ()) else set())
    leaving = {one.index.oid for one in superseded(schema)}
    for twin in query_indexes(schema):
        if twin.oid in leaving or not _is_single(twin) or twin.operator_classes[0] not in _PATTERN:
            continue
        column = schema.column(twin.table_oid, twin.keys[0])
        plain = sorted(
            (
                other
                for other in schema.indexes_of(twin.table_oid)
                if other.oid not in leaving
                and other.keys == twin.keys
                and _is_plain(other)
                and column is not None
                and other.collations == (column.collation,) == twin.collations
            ),
            key=lambda other: (not other.is_unique, other.name),
        )
        if plain and column is not None:
            yield PatternTwin(twin, plain[0], column.collation in bytewise)


def _is_single(index: Index) -> bool:
    """Return whether it is a whole b-tree on one column and nothing more."""
    return index.method == "btree" and len(index.columns) == 1 and index.columns != (0,) and not index.is_partial


def _is_plain(index: Index) -> bool:
    is_single = index.method == "btree" and index.key_count == 1 and not index.is_partial and is_usable(index)
    return is_single and index.operator_classes[0] not in {*_PATTERN, _OTHER_PATTERN}


def _is_bytewise(collation: Collation) -> bool:
    """Return whether it is the database's collation and the server searches patterns by an index under it."""
    if collation.oid != _DATABASE:
        return False
    return collation.provider == "b" or (collation.provider == "c" and collation.locale in {"C", "POSIX"})
