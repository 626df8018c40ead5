"""A statement as pg_stat_statements keeps it, made into one that the server can plan again."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.snapshot.statement_text import tokens, verb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What has a plan and is no utility statement.
_PLANNED: Final = frozenset({"select", "insert", "update", "delete", "merge", "with", "values", "table"})
#: Types whose constants are written `interval '1 day'`: the server makes `interval $1` of them, which is no SQL.
_TYPES: Final = frozenset({"interval", "date", "time", "timetz", "timestamp", "timestamptz"})
_WITH_ZONE: Final = frozenset({"time", "timestamp"})
#: After a constant of a type these would belong to the type.
_FIELDS: Final = frozenset({"year", "month", "day", "hour", "minute", "second"})
#: What the server writes for the rest of a list, from PostgreSQL 18 on.
_SHORTENED: Final = re.compile(r"/\*, \.\.\. \*/")
_COMMENT_PART: Final = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class PlannableText:
    """What to plan, and what was changed in it, or has to be known of it. It may hold data: it is never shown."""

    text: str
    notes: tuple[str, ...]


def unplannable(text: str) -> str | None:
    """Return why a statement must not be given to EXPLAIN, None where it may.

    Without a semicolon in it, wherever that stands, no second statement can hide in it.
    """
    first = verb(text)
    if first not in _PLANNED:
        return f"{first.upper() or 'it'} is a utility statement, which has no plan"
    if ";" in text.strip().rstrip(";"):
        return "its text holds a semicolon, so that it could be more than one statement"
    return None


def plannable(text: str, rows_per_call: float | None) -> PlannableText:
    """Return `text` as it can be planned.

    A constant with its type before it gets a cast. The number of a LIMIT is not known to a generic plan, which takes a
    tenth of the rows then: it becomes what executions gave on average, the smallest that it can have been.
    """
    text = text.strip().rstrip(";").rstrip()
    found = list(_located(text))
    changes, notes = [], []
    for start, end, replacement in _casts(found):
        changes.append((start, end, replacement))
        notes.append(f"{text[start:end]} was read as {replacement}")
    limit, offset = _outermost(found, "limit"), _outermost(found, "offset")
    if limit is not None:
        start, end, parameter = limit
        if rows_per_call is None:
            notes.append(f"LIMIT {parameter} is not known: the planner takes a tenth of the rows")
        else:
            rows = max(math.ceil(rows_per_call), 1)
            changes.append((start, end, f"coalesce({rows}, {parameter})"))
            notes.append(f"LIMIT {parameter} was taken for {rows:,}, as executions gave {rows_per_call:,.1f} rows")
    if offset is not None:
        notes.append(f"OFFSET {offset[2]} is not known: the planner takes a tenth of the rows")
    if _SHORTENED.search(text):
        notes.append("the server has shortened a list of values to its first: it is planned with that one alone")
    for start, end, replacement in sorted(changes, reverse=True):
        text = f"{text[:start]}{replacement}{text[end:]}"
    return PlannableText(text, tuple(notes))


def _casts(found: Sequence[tuple[int, str, str]]) -> Iterator[tuple[int, int, str]]:
    for place, (start, kind, spelled) in enumerate(found):
        if kind != "word" or spelled.lower() not in _TYPES:
            continue
        words = [spelled.lower()]
        rest = [one[2].lower() for one in found[place + 1 : place + 4]]
        if words[0] in _WITH_ZONE and rest in (["with", "time", "zone"], ["without", "time", "zone"]):
            words += rest
        after = found[place + len(words) : place + len(words) + 2]
        if not after or not _is_parameter(after[0]):
            continue
        following = after[1][2].lower() if len(after) > 1 else ""
        if following not in _FIELDS:
            yield start, after[0][0] + len(after[0][2]), f"CAST({after[0][2]} AS {' '.join(words)})"


def _outermost(found: Sequence[tuple[int, str, str]], word: str) -> tuple[int, int, str] | None:
    """Return where the parameter of the statement's own LIMIT or OFFSET stands, and its name."""
    depth, last = 0, None
    for place, (_, kind, spelled) in enumerate(found[:-1]):
        if kind == "other":
            depth += (spelled == "(") - (spelled == ")")
        elif depth == 0 and kind == "word" and spelled.lower() == word and _is_parameter(found[place + 1]):
            start, _, parameter = found[place + 1]
            last = start, start + len(parameter), parameter
    return last


def _is_parameter(token: tuple[int, str, str]) -> bool:
    return token[1] == "parameter" and token[2].startswith("$")


def _located(text: str) -> Iterator[tuple[int, str, str]]:
    """Iterate over the tokens of a statement with the place of each."""
    place = 0
    for kind, spelled in tokens(text):
        place = _past_space(text, place)
        yield place, kind, spelled
        place += len(spelled)


def _past_space(text: str, place: int) -> int:
    """Return where the white space and the comments at `place` end."""
    while place < len(text):
        if text[place].isspace():
            place += 1
        elif text.startswith("--", place):
            end = text.find("\n", place)
            place = len(text) if end < 0 else end
        elif text.startswith("/*", place):
            place = _past_comment(text, place + 2)
        else:
            break
    return place


def _past_comment(text: str, place: int) -> int:
    depth = 1
    for match in _COMMENT_PART.finditer(text, place):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(text)
