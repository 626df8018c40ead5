"""Calls in a policy's expression that are made for every row, though they give the same for all of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

#: A string, a quoted name, a parenthesis that opens a sub-select, one that opens anything else, one that closes.
_TOKEN: Final = re.compile(
    r"""(?P<text>E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')|(?P<name>"(?:[^"]|"")*")"""
    r"""|(?P<query>\(\s*(?:SELECT|WITH|VALUES)\b)|(?P<open>\()|(?P<close>\))""",
    re.DOTALL,
)
#: current_setting() as the server prints it, with nothing but constants.
_SETTING: Final = re.compile(r"current_setting\('(?:[^']|'')*'::text(?:, (?:true|false))?\)")
_WORD: Final = re.compile(r'[\w$."]')


def calls_per_row(expression: str, stable_calls: Collection[str]) -> tuple[str, ...]:
    """Return the calls in `expression`, outside sub-selects, of current_setting() and of `stable_calls`, each once."""
    return tuple(dict.fromkeys(expression[start:end] for start, end in _spans(expression, stable_calls)))


def with_calls_once(expression: str, stable_calls: Collection[str]) -> str:
    """Return `expression` with those calls in sub-selects, which the server answers once for a statement."""
    parts, position = [], 0
    for start, end in _spans(expression, stable_calls):
        parts += [expression[position:start], f"(SELECT {expression[start:end]})"]
        position = end
    return "".join([*parts, expression[position:]])


def _spans(expression: str, stable_calls: Collection[str]) -> Iterator[tuple[int, int]]:
    calls = [_SETTING, *(re.compile(re.escape(call)) for call in sorted(stable_calls, key=len, reverse=True))]
    queries: list[bool] = []
    position = 0
    while position < len(expression):
        if not any(queries) and not (position and _WORD.match(expression[position - 1])):
            match = next(filter(None, (call.match(expression, position) for call in calls)), None)
            if match is not None:
                yield match.span()
                position = match.end()
                continue
        token = _TOKEN.match(expression, position)
        if token is None:
            position += 1
            continue
        if token.lastgroup in {"query", "open"}:
            queries.append(token.lastgroup == "query")
        elif token.lastgroup == "close" and queries:
            queries.pop()
        position = token.end()
