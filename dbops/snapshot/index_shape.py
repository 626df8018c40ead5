"""What an index can answer, whatever its name: which are the same, which contains another, which serves a look-up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from dbops.snapshot.rows import Index

#: Methods whose operator classes and storage parameters do not change what an index can answer. The others have such
#: that do: `siglen` of a trigram GiST, `pages_per_range` of BRIN.
_WITHOUT_PARAMETERS: Final = frozenset({"btree", "hash"})
#: DESC and NULLS FIRST, the two bits of pg_index.indoption, both turned: the order of a backward scan.
_BACKWARD: Final = 3
_LEFTOVER: Final = re.compile(r"_cc(new|old)\d*\Z")
_OPENING: Final = "([{"
_CLOSING: Final = ")]}"
_QUOTES: Final = "'\""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an index: a column (0 for an expression) under an operator class and a collation."""

    column: int
    expression: str | None
    operator_class: int
    collation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Everything of an index that decides which queries it can serve; equal shapes serve the same queries.

    `order` is the smaller of the order of a forward and of a backward scan, so that mirrored indexes are equal.
    `included` leaves out what is a key as well. `parameters` is the definition without the name, for the methods whose
    parameters matter. Uniqueness is no part of a shape: it is what an index enforces, not what it answers.
    """

    table_oid: int
    method: str
    keys: tuple[Key, ...]
    order: tuple[int, ...]
    included: frozenset[int]
    predicate: str | None
    parameters: str | None

    def extends(self, other: Shape) -> bool:
        """Return whether this shape serves every query that `other` does: the same keys first, in the same order.

        The relation is reflexive and transitive. Only a b-tree serves by a part of its keys as well as by all.
        """
        count = len(other.keys)
        is_part = len(self.keys) > count
        return (
            self.table_oid == other.table_oid
            and self.method == other.method
            and self.predicate == other.predicate
            and self.parameters == other.parameters
            and self.keys[:count] == other.keys
            and self.order[:count] in {other.order, _mirrored(other.order)}
            and other.included <= self.included.union(key.column for key in self.keys)
            and (self.method == "btree" or not is_part)
        )


def shape_of(index: Index) -> Shape | None:
    """Return the shape of `index`; None when its expressions, predicate or parameters could not be read."""
    expressions = iter(() if index.expressions is None else split_expressions(index.expressions))
    keys = tuple(
        Key(column, None if column else next(expressions, None), operator_class, collation)
        for column, operator_class, collation in zip(index.keys, index.operator_classes, index.collations, strict=False)
    )
    is_known = len(keys) == index.key_count and not any(key.column == 0 and key.expression is None for key in keys)
    parameters = None if index.method in _WITHOUT_PARAMETERS else _nameless(index)
    is_known &= index.method in _WITHOUT_PARAMETERS or parameters is not None
    is_known &= not index.is_partial or index.predicate is not None
    if not is_known:
        return None
    return Shape(
        table_oid=index.table_oid,
        method=index.method,
        keys=keys,
        order=min(index.options, _mirrored(index.options)),
        included=frozenset(index.included) - frozenset(index.keys),
        predicate=index.predicate,
        parameters=parameters,
    )


def is_plain(index: Index) -> bool:
    """Return whether `index` consists of columns alone: nothing of it has to be printed, its shape is always known."""
    return index.method in _WITHOUT_PARAMETERS and not (index.is_partial or index.has_expressions)


def is_usable(index: Index) -> bool:
    """Return whether queries can use `index`: it is built, kept up to date, and not being dropped."""
    return index.is_valid and index.is_ready and index.is_live


def enforced(index: Index) -> tuple[bool, ...]:
    """Return what `index` enforces beside what it answers: uniqueness, of NULLs too or not, at once or deferrable."""
    return index.is_unique, index.is_unique and index.nulls_not_distinct, index.is_immediate, index.is_exclusion


def is_leftover(index: Index) -> bool:
    """Return whether `index` is what an interrupted REINDEX CONCURRENTLY left: its half-built copy, or the old index.

    The server names them so (`_ccnew`, `_ccold`, with a number where that is taken); both are to be dropped.
    """
    return not index.is_valid and _LEFTOVER.search(index.name) is not None


def serves_look_up(index: Index, columns: Mapping[int, str]) -> bool | None:
    """Return whether `index`, once usable, finds rows by the equality of all `columns` (their names by number).

    Its first keys have to be the columns, in any order; a hash index has one key. A partial index serves when it leaves
    out nothing but NULLs of these columns, which no equality finds. None: its predicate could not be read.
    """
    count = len(columns)
    if index.method == "btree":
        leads = frozenset(index.keys[:count]) == frozenset(columns)
    else:
        leads = index.method == "hash" and count == 1 and index.keys == tuple(columns)
    if not leads or not index.is_partial:
        return leads
    return None if index.predicate is None else _leaves_out_only_nulls(index.predicate, columns.values())


def split_expressions(expressions: str) -> Iterator[str]:
    """Iterate over the expressions of an index, which pg_get_expr() prints in one line, separated by commas.

    A comma inside brackets, a string or a quoted name separates nothing. The server doubles a quote inside quotes and
    escapes none by a backslash alone.
    """
    depth, start, quote = 0, 0, ""
    for position, character in enumerate(expressions):
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        elif character == "," and depth == 0:
            yield expressions[start:position].strip()
            start = position + 1
    yield expressions[start:].strip()


def _mirrored(options: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(option ^ _BACKWARD for option in options)


def _nameless(index: Index) -> str | None:
    """Return the definition from the table on; all of it, should the name not be where it belongs."""
    if index.definition is None:
        return None
    _, found, rest = index.definition.partition(f"INDEX {quote_ident(index.name)} ON ")
    return rest if found else index.definition


def _leaves_out_only_nulls(predicate: str, names: Collection[str]) -> bool:
    """Return whether a predicate, as the server prints it, is `a IS NOT NULL` for some of the columns, ANDed."""
    # Which words need quotes differs between servers; a name of several words always does.
    spelled = {*map(quote_ident, names), *(name for name in names if name.isidentifier())}
    terms = {f"({name} IS NOT NULL)" for name in spelled}
    if predicate in terms:
        return True
    rest = predicate.removeprefix("(").removesuffix(")")
    while rest:
        term = next((term for term in terms if rest.startswith(term)), None)
        if term is None:
            return False
        rest = rest[len(term) :]
        rest = rest.removeprefix(" AND ")
    return True
