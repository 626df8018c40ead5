"""SQL inside migrations: what it makes, and how it is written so that it runs on every copy of a database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from dbops.snapshot.names import quote_ident, truncate_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME: Final = r'("(?:[^"]|"")+"|[^\W\d][\w$]*)'
_MADE: Final = re.compile(
    r"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"{_NAME}|\bADD\s+CONSTRAINT\s+{_NAME}",
    re.IGNORECASE,
)
#: What makes a statement do nothing where its work is done already: a migration also runs on databases that never had
#: the object (a colleague's, the tests'), or had it from the start.
_LENIENT: Final = (
    (re.compile(r"^(DROP INDEX (?:CONCURRENTLY )?)(?!IF )"), r"\1IF EXISTS "),
    (re.compile(r"^(CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?)(?!IF )"), r"\1IF NOT EXISTS "),
    (re.compile(r'^(ALTER TABLE (?:"(?:[^"]|"")+"|[^" ])+ DROP CONSTRAINT )(?!IF )'), r"\1IF EXISTS "),
    (re.compile(r"^(ALTER SEQUENCE )(?!IF )"), r"\1IF EXISTS "),
)


def made_names(sql: Any) -> Iterator[str]:
    """Iterate over the names, as the server keeps them, of the indexes and constraints that RunSQL's `sql` makes.

    `sql` is what RunSQL takes: a text, or a list of texts or pairs of a text and its parameters. What a driver composed
    is not read.
    """
    parts = sql if isinstance(sql, list | tuple) else [sql]
    for part in parts:
        text = part[0] if isinstance(part, list | tuple) else part
        for match in _MADE.finditer(text if isinstance(text, str) else ""):
            name = match[1] or match[2]
            yield truncate_name(name[1:-1].replace('""', '"') if name.startswith('"') else name.lower())


def lenient(statement: str) -> str:
    """Return `statement` so that it does nothing, instead of failing, where there is nothing to do."""
    for pattern, replacement in _LENIENT:
        statement = pattern.sub(replacement, statement)
    return statement


def along_search_path(statement: str, schema: str) -> str:
    """Return `statement` with the tables of `schema` unqualified, as Django writes them: the first name, and those that
    foreign keys refer to."""
    prefix = re.escape(quote_ident(schema))
    first = re.sub(rf'(?<![\w".]){prefix}\.', "", statement, count=1)
    return re.sub(rf"(?<= REFERENCES ){prefix}\.", "", first)
