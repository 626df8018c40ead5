"""The text of statements without anything in it that could be data: no literal, no comment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

#: With what every statement of our own ends, so that it can be told from the application's. PostgreSQL 18 keeps no
#: comment that comes before a statement.
OWN: Final = "/* dbops */"
#: Stands for a literal that the server did not replace itself.
HIDDEN: Final = "'…'"
#: What pg_stat_statements replaces every constant of; of all other statements it may keep them.
_NORMALISED: Final = frozenset({"select", "insert", "update", "delete", "merge", "with", "values", "table"})
#: Their names are made up by drivers, a new one each time.
_NAMING: Final = frozenset({"savepoint", "release", "rollback", "declare", "fetch", "close", "prepare", "deallocate"})
#: Lexical rules: "Lexical Structure" in PostgreSQL's manual. A text may have been cut off in the middle of a token.
_TOKEN: Final = re.compile(
    r"""
      (?P<comment>--[^\n]*)
    | (?P<block>/\*)
    | (?P<string>[eE]'(?:[^'\\]|\\(?:.|\Z)|'')*(?:'|\Z)|(?:[bBnNxX]|[uU]&)?'(?:[^']|'')*(?:'|\Z))
    | (?P<dollar>\$(?P<tag>[^\W\d]\w*|)\$.*?(?:\$(?P=tag)\$|\Z))
    | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")*(?:"|\Z))
    | (?P<parameter>\$\d+|%s|%\(\w+\)s)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<number>0[xXoObB][\da-fA-F_]+|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)
    | (?P<space>\s+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_ENDS: Final = re.compile(r"/\*|\*/")


def tokens(text: str) -> Iterator[tuple[str, str]]:
    """Iterate over the tokens of a statement, comments and white space left out: what each is, and its text.

    They are `string` (dollar-quoted ones too), `quoted`, `parameter`, `word`, `number` and `other`.
    """
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:  # nothing: every character is some token
            return
        place = match.end()
        if match["block"]:
            place = _end_of_comment(text, place)
        elif match.lastgroup == "tag" or match["dollar"]:
            yield "string", match[0]
        elif not (match["comment"] or match["space"]):
            yield str(match.lastgroup), match[0]


def verb(text: str) -> str:
    """Return the first word of a statement in lower case, `select` for one that begins with a bracket; may be empty."""
    for kind, spelled in tokens(text):
        if kind == "word":
            return spelled.lower()
        if spelled != "(":
            break
    return ""


def redacted(text: str) -> str:
    """Return a statement in one line, without comments and without what could be data.

    Constants of queries are `$1`, `$2` already, where the text is pg_stat_statements'; whatever literal is left is
    hidden. Of other statements, which keep them (CREATE ROLE … PASSWORD, COPY, DECLARE), numbers are hidden too.
    """
    first = verb(text)
    keeps_numbers, hides_names = first in _NORMALISED, first in _NAMING
    parts: list[str] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            break
        place = match.end()
        if match["block"]:
            place = _end_of_comment(text, place)
            parts.append(" ")
        elif match["comment"] or match["space"]:
            parts.append(" ")
        elif match["string"] or match["dollar"]:
            parts.append(HIDDEN)
        elif match["number"]:
            parts.append(match[0] if keeps_numbers else "?")
        elif match["quoted"]:
            parts.append("?" if hides_names and len(parts) < _NAME_COMES_WITHIN else match[0])
        else:
            parts.append(match[0])
    return re.sub(r" +", " ", "".join(parts)).strip()


#: How many tokens a made-up name may be behind the verb, white space counted: ROLLBACK TO SAVEPOINT "s1_x1".
_NAME_COMES_WITHIN: Final = 8


def _end_of_comment(text: str, place: int) -> int:
    """Return where a comment ends whose opening ends at `place`; comments may hold others."""
    depth = 1
    for match in _BLOCK_ENDS.finditer(text, place):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(text)
