"""The text of statements without anything in it that could be data: no literal, no comment."""

from __future__ import annotations

import hashlib
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


def redacted(text: str, *, is_normalised: bool = True) -> str:
    """Return a statement in one line, without comments and without what could be data.

    Constants of queries are `$1`, `$2` already, where the text is pg_stat_statements'; whatever literal is left is
    hidden. Of other statements, which keep them (CREATE ROLE … PASSWORD, COPY, DECLARE), numbers are hidden too, and so
    they are in a text that is the application's own: then `is_normalised` is False.
    """
    first = verb(text)
    keeps_numbers, hides_names = is_normalised and first in _NORMALISED, first in _NAMING
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


def fingerprint(text: str) -> str:
    """Return what a statement has in common with all that differ from it in their values alone, as 16 hex digits.

    The application's text, with `%s` and literals, has the same one as that of pg_stat_statements, with `$1`: a hash of
    the text without comments and white space, with words in lower case, one sign for whatever is a value, and one
    value for a list of them.
    """
    return hashlib.sha256(normalised(text).encode(errors="surrogatepass")).hexdigest()[:16]


#: Stands for a value in a normalised text.
_VALUE: Final = "?"
#: What a statement has thousands of at times, as Django writes it: left out before anything else is looked at.
_MANY_PARAMETERS: Final = re.compile(r"(?:%s, )+(?=%s)")
_MANY_ROWS: Final = re.compile(r"(?:\(%s\), )+(?=\(%s\))")
_VALUE_WORDS: Final = frozenset({"null", "true", "false"})
#: Words of which the name of a type has a second one, or, behind its precision, three more.
_TWO_WORDS: Final = frozenset({"double", "character", "bit", "national"})
_WITH_ZONE: Final = frozenset({"timestamp", "time"})


def normalised(text: str) -> str:
    """Return the text that `fingerprint` is the hash of: its tokens with a space between them.

    What a driver makes of a parameter is not in the application's text: a cast behind a literal, a sign before a
    number, an ARRAY of values, a list in brackets. All these are part of the value here. So is what the server takes
    for a constant though it looks like a word: NULL, TRUE, and the field of EXTRACT.
    """
    found = _Normalised(hides_names=verb(text) in _NAMING)
    given = list(tokens(without_repetition(text)))
    place = 0
    while place < len(given):
        place = found.take(given, place)
    while found.parts and found.parts[-1] == ";":
        found.parts.pop()
    return " ".join(found.parts)


def without_repetition(text: str) -> str:
    """Return a statement of Django's with one parameter of a list, and one row of many: it has the same fingerprint."""
    return _MANY_ROWS.sub("", _MANY_PARAMETERS.sub("", text))


class _Normalised:
    """A normalised text that is being made; `_opened` are the places of brackets that are not closed yet."""

    def __init__(self, *, hides_names: bool) -> None:
        self.parts: list[str] = []
        self._hides_names = hides_names
        self._opened: list[int] = []

    def take(self, given: list[tuple[str, str]], place: int) -> int:
        """Add the token at `place`, or the value that begins there; return where the next one is."""
        kind, spelled = given[place]
        parts, following = self.parts, place + 1
        if kind == "word":
            spelled = spelled.lower()
        if self._is_value(kind, spelled):
            return self._add_value(given, following)
        if spelled == "%" and parts[-1:] == ["%"] and given[place - 1] == ("other", "%"):
            return following  # Django writes the operator twice, for the driver
        if spelled == "(":
            self._opened.append(len(parts))
        parts.append(spelled)
        if spelled == "]" and parts[-4:] == ["array", "[", _VALUE, "]"]:
            del parts[-4:]
            return self._add_value(given, following)
        if spelled == ")" and self._opened:
            opened = self._opened.pop()
            if parts[opened - 1 :] == ["in", "(", _VALUE, ")"]:
                del parts[opened:]
                return self._add_value(given, following)
            self._forget_repetition(opened)
        return following

    def _is_value(self, kind: str, spelled: str) -> bool:
        if kind in {"string", "number", "parameter"}:
            return True
        if kind == "quoted":
            return self._hides_names
        if kind != "word":
            return False
        if self.parts[-2:] == ["extract", "("]:
            return True
        if spelled not in _VALUE_WORDS:
            return False
        before = self.parts[-2:]
        is_tested = before[-1:] == ["is"] or before == ["is", "not"] or (spelled == "null" and before[-1:] == ["not"])
        return not is_tested

    def _add_value(self, given: list[tuple[str, str]], place: int) -> int:
        """Add a value, of which a sign before and casts behind are part; one of a list with the others is one."""
        parts = self.parts
        while parts[-1:] == ["-"]:
            parts.pop()
        if parts[-2:] == [_VALUE, ","]:
            parts.pop()
        else:
            parts.append(_VALUE)
        while given[place : place + 2] == [("other", ":"), ("other", ":")]:
            place = _end_of_type(given, place + 2)
        return place

    def _forget_repetition(self, opened: int) -> None:
        """Drop the last list in brackets where it is the same as the one before: of the rows of VALUES one is left."""
        parts = self.parts
        size = len(parts) - opened
        before = opened - 1
        if before >= size and parts[before] == "," and parts[before - size : before] == parts[opened:]:
            del parts[before:]


def _end_of_type(given: list[tuple[str, str]], place: int) -> int:
    """Return where the name of a type ends that begins at `place`: pg_catalog.numeric(10, 2)[]."""

    def spelled(at: int) -> str:
        return given[at][1].lower() if at < len(given) else ""

    first = spelled(place)
    place += 1
    while spelled(place) == ".":
        place += 2
    if first in _TWO_WORDS and place < len(given) and given[place][0] == "word":
        place += 1
    if spelled(place) == "(":
        while place < len(given) and spelled(place) != ")":
            place += 1
        place += 1
    if first in _WITH_ZONE and spelled(place) in {"with", "without"}:
        place += 3
    while spelled(place) == "[":
        place += 2 if spelled(place + 1) == "]" else 3
    return min(place, len(given))


def _end_of_comment(text: str, place: int) -> int:
    """Return where a comment ends whose opening ends at `place`; comments may hold others."""
    depth = 1
    for match in _BLOCK_ENDS.finditer(text, place):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(text)
