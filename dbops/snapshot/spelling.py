"""Whether two definitions say the same though they are spelled differently, as far as that is evident.

The server prints a definition in words of its own: with casts, brackets and lower-case names. What it only decorated is
told here. All else is left open: two definitions that are not evidently the same may be the same all the same.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<text>[eE]?'(?:[^']|'')*')
      | (?P<name>"(?:[^"]|"")*")
      | (?P<cast>::\s*(?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))?
                 (?:\ varying|\ precision)?(?:\ *\(\d+(?:,\s*-?\d+)?\))?(?:\ with(?:out)?\ time\ zone)?(?:\[\d*\])*)
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<word>[^\W\d][\w$]*)
      | (?P<sign>[-+*/<>=~!@\#%^&|`?]+|[()\[\],.:;])
    )""",
    re.VERBOSE,
)
#: Casts that the server adds by itself, as no type has a cheaper one: of what is kept as text.
_TO_TEXT: Final = re.compile(r"::\s*(?:text|character varying|varchar)(?:\(\d+\))?(?:\[\])?\Z")
_TO_NUMBER: Final = re.compile(r"::\s*(?:smallint|integer|bigint|numeric|double precision|real)(?:\(\d+(?:,\d+)?\))?\Z")
_NUMBER: Final = re.compile(r"'(-?)(\d+(?:\.\d+)?)'")
#: Words that brackets only group after; any other word calls something with them.
_GROUPING: Final = frozenset(
    "and or not is check where using when then else case default on as like ilike between distinct from".split()
)
_ANY_OF: Final = ["=", "any", "(", "array", "["]
_NULL: Final = frozenset({"null"})
_OPENING: Final = frozenset("(")
_CLOSING: Final = frozenset(")")
_BRACKETS: Final = _OPENING | _CLOSING
_CONNECTIVES: Final = frozenset({"and", "or"})
_COMPARISONS: Final = frozenset(
    {"=", "<>", "<", ">", "<=", ">=", "~", "~*", "!~", "~~", "~~*", "!~~", "@>", "<@", "&&"}
)
_PUNCTUATION: Final = frozenset("()[],.:;")


def is_evidently_same(one: str, other: str) -> bool:
    """Return whether two definitions of the same thing differ in casts, brackets and letters' case alone.

    Brackets are looked through only where they cannot change the meaning, because nothing binds differently there.
    """
    first, second = _tokens(one), _tokens(other)
    if first is None or second is None:
        return one == other
    if first == second:
        return True
    flat = _flat(first)
    return flat == _flat(second) and _is_unambiguous(flat)


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[str, ...] | None:
    """Return the tokens without casts that the server may have added; None where there is something unknown."""
    found: list[str] = []
    position = 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            return None
        position = match.end()
        kind, value = str(match.lastgroup), match[str(match.lastgroup)]
        if kind == "cast":
            _take_cast(found, value)
        elif kind == "name":
            found.append(value[1:-1].replace('""', '"'))
        elif kind == "number" and found[-1:] == ["-"] and not _is_operand(found[-2:-1]):
            found[-1] = f"-{value}"
        elif kind == "word":
            found += [] if value.lower() == "asc" else [value.lower()]
        else:
            found.append("<>" if value == "!=" else value)
    return tuple(found)


def _take_cast(found: list[str], cast: str) -> None:
    """Add a cast, unless it is one that says nothing: of a literal, or of a text to text."""
    number = _NUMBER.fullmatch(found[-1]) if found else None
    if number is not None and _TO_NUMBER.match(cast):
        found[-1] = number[1] + number[2]
        return
    before = found[-1] if found else ""
    if before == ")" and len(found) > 2 and found[-3] == "(" and _is_literal(found[-2]):
        before = found[-2]
    if not (_TO_TEXT.match(cast) or _is_literal(before)):
        found.append(re.sub(r"\s+", " ", cast.lower()))


def _is_operand(tokens: Sequence[str]) -> bool:
    """Whether what stands before a minus is what it subtracts from."""
    return any(
        (token[:1].isalnum() and token not in _GROUPING) or token[:1] in {")", "]", "'", "_"} for token in tokens
    )


def _is_literal(token: str) -> bool:
    return token.removeprefix("-")[:1].isdigit() or token in _NULL or token.lower().startswith(("'", "e'"))


@lru_cache(maxsize=4096)
def _flat(tokens: tuple[str, ...]) -> list[str]:
    """Return the tokens without the brackets that only group."""
    flat: list[str] = []
    stack: list[bool] = []
    for position, token in enumerate(tokens):
        before = tokens[position - 1] if position else ""
        if token in _OPENING:
            stack.append(_calls(before))
        keeps = stack[-1] if stack else True
        if keeps or token not in _BRACKETS:
            flat.append(token)
        if stack and token in _CLOSING:
            stack.pop()
    return _listed(flat)


def _listed(tokens: list[str]) -> list[str]:
    """Return the tokens with `= ANY (ARRAY[…])` as IN (…), and a list of one as what it is compared with."""
    found: list[str] = []
    position = 0
    while position < len(tokens):
        if tokens[position : position + 5] == _ANY_OF and (end := _end_of_list(tokens, position + 5, "]")):
            items, position = tokens[position + 5 : end], end + 2
        elif tokens[position : position + 2] == ["in", "("] and (end := _end_of_list(tokens, position + 2, ")")):
            items, position = tokens[position + 2 : end], end + 1
        else:
            found.append(tokens[position])
            position += 1
            continue
        found += ["=", *items] if "," not in items else ["in", "(", *items, ")"]
    return found


def _end_of_list(tokens: Sequence[str], start: int, bracket: str) -> int:
    """Return where a list of literals ends; 0 where there is anything else in it."""
    for position in range(start, len(tokens)):
        if tokens[position] == bracket:
            return position
        if not (_is_literal(tokens[position]) or tokens[position] == ","):
            break
    return 0


def _calls(before: str) -> bool:
    return before != "" and (before[:1].isalpha() or before[:1] == "_") and before not in _GROUPING


def _is_unambiguous(tokens: Sequence[str]) -> bool:
    """Whether the brackets that were left out can have grouped in one way only."""
    signs = [token for token in _operators(tokens) if token not in _COMPARISONS]
    negations = sum(pair[1] == "not" and pair[0] != "is" for pair in _pairs(tokens))
    kinds = {token for token in tokens if token in _CONNECTIVES}
    binding = len(kinds) + len(signs) + negations
    return binding <= 1 or (binding == len(kinds) == 1)


def _operators(tokens: Iterable[str]) -> Iterator[str]:
    return (
        token
        for token in tokens
        if not (token[-1:].isalnum() or token[:1] in {"_", "'", '"'} or token in _PUNCTUATION or token.startswith("::"))
    )


def _pairs(tokens: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(("", *tokens), tokens, strict=False)
