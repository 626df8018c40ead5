"""Which table an UPDATE changes, and which of its columns it sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.snapshot.statement_text import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_END: Final = frozenset({"from", "where", "returning"})


@dataclass(frozen=True, slots=True)
class UpdateTarget:
    """The table as it is named, without a schema where none is, and the columns in the SET list."""

    schema: str | None
    table: str
    columns: frozenset[str]


def update_target(text: str) -> UpdateTarget | None:
    """Return what a statement updates; None where it is no plain UPDATE, or one that is not understood."""
    found = list(tokens(text))
    if _word(found[:1]) != "update":
        return None
    rest = found[1:]
    if _word(rest[:1]) == "only":
        rest = rest[1:]
    parts = [_name(rest[:1])]
    if rest[1:2] == [("other", ".")]:
        parts.append(_name(rest[2:3]))
    start = next((place for place in range(len(rest)) if _word(rest[place : place + 1]) == "set"), None)
    if start is None or not all(parts):
        return None
    columns: set[str] = set()
    for item in _items(rest[start + 1 :]):
        names = _columns(item)
        if not names:
            return None
        columns |= names
    *schema, table = parts
    return UpdateTarget(schema[0] if schema else None, str(table), frozenset(columns)) if columns else None


def _items(rest: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Iterate over the assignments of a SET list."""
    item: list[tuple[str, str]] = []
    depth = 0
    for token in rest:
        spelled = token[1]
        if token[0] == "other":
            depth += (spelled in "([") - (spelled in ")]")
        # IS DISTINCT FROM belongs to an expression.
        is_end = _word([token]) in _END and not (spelled.lower() == "from" and _word(item[-1:]) == "distinct")
        if depth == 0 and (is_end or spelled == ";"):
            break
        if depth == 0 and token == ("other", ","):
            yield item
            item = []
        else:
            item.append(token)
    yield item


def _columns(item: list[tuple[str, str]]) -> set[str]:
    """Return the columns that an assignment sets; nothing where it is not understood."""
    if item[:1] != [("other", "(")]:
        name = _name(item[:1])
        return {name} if name else set()
    end = item.index(("other", ")")) if ("other", ")") in item else 0
    names = [_name([token]) for token in item[1:end] if token != ("other", ",")]
    return {name for name in names if name} if all(names) else set()


def _name(token: Sequence[tuple[str, str]]) -> str | None:
    for kind, spelled in token:
        if kind == "quoted" and spelled.startswith('"'):
            return spelled[1:-1].replace('""', '"')
        if kind == "word":
            return spelled.lower()
    return None


def _word(token: Sequence[tuple[str, str]]) -> str:
    return next((spelled.lower() for kind, spelled in token if kind == "word"), "")
