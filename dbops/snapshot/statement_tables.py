"""Which relations a statement names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.snapshot.statement_text import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: After these words comes what is read or written.
_BEFORE: Final = frozenset({"from", "join", "into", "update", "table", "using"})
#: May stand between such a word and the name.
_BETWEEN: Final = frozenset({"only", "lateral"})
#: Words that begin what comes after the list of a FROM.
_AFTER: Final = frozenset(
    "where group order having limit offset fetch for union intersect except window returning set on values select "
    "join inner left right full cross natural using".split()
)


def named_relations(text: str) -> tuple[tuple[str | None, str], ...]:
    """Return what stands where a relation may stand, as (schema, name), each once, in the order of the text.

    A schema is None where none is written. Names that WITH gives, and functions, may be among them.
    """
    found = list(tokens(text))
    return tuple(dict.fromkeys(_names(found)))


def _names(found: Sequence[tuple[str, str]]) -> Iterator[tuple[str | None, str]]:
    for place, token in enumerate(found):
        if _word(token) not in _BEFORE or _is_operator(found, place):
            continue
        start: int | None = place + 1
        while start is not None:
            name, start = _name_at(found, start)
            if name is not None:
                yield name
            # Only a FROM, and what DELETE is USING, list several.
            start = _next_item(found, start) if _word(token) in {"from", "using"} else None


def _is_operator(found: Sequence[tuple[str, str]], place: int) -> bool:
    """Return whether the word at `place` belongs to IS DISTINCT FROM, or to FOR UPDATE."""
    before = _word(found[place - 1]) if place else ""
    return before in {"distinct", "for", "do", "key"} and _word(found[place]) in {"from", "update"}


def _name_at(found: Sequence[tuple[str, str]], place: int) -> tuple[tuple[str | None, str] | None, int]:
    """Return the name that begins at `place`, None where it is something else, and the place behind it."""
    while place < len(found) and _word(found[place]) in _BETWEEN:
        place += 1
    parts = []
    while place < len(found):
        part = _part(found[place])
        if part is None:
            break
        parts.append(part)
        place += 1
        if found[place : place + 1] != [("other", ".")]:
            break
        place += 1
    if not parts:
        return None, place
    return (parts[-2] if len(parts) > 1 else None, parts[-1]), place


def _next_item(found: Sequence[tuple[str, str]], place: int) -> int | None:
    """Return where the next name of the list begins; None where the list ends."""
    depth = 0
    for at in range(place, len(found)):
        kind, spelled = found[at]
        if kind == "other":
            depth += (spelled == "(") - (spelled == ")")
            if depth < 0 or spelled == ";":
                return None
            if depth == 0 and spelled == ",":
                return at + 1
        elif depth == 0 and kind == "word" and spelled.lower() in _AFTER:
            return None
    return None


def _part(token: tuple[str, str]) -> str | None:
    kind, spelled = token
    if kind == "quoted" and spelled.startswith('"'):
        return spelled[1:-1].replace('""', '"')
    return spelled.lower() if kind == "word" else None


def _word(token: tuple[str, str]) -> str:
    return token[1].lower() if token[0] == "word" else ""
