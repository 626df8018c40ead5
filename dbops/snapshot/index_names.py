"""Names for new indexes, such that SQL and a Django migration can both give them."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from dbops.snapshot.names import truncate_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.snapshot.rows import Table
    from dbops.snapshot.schema import Schema

#: Django refuses longer names for an Index (django.db.models.Index.max_name_length counts characters; bytes are more).
MAX_INDEX_NAME_BYTES: Final = 30
#: How many bytes of a shortened name are the table's and the columns', as in the names that Django makes.
_TABLE_BYTES: Final = 11
_COLUMNS_BYTES: Final = 7


class IndexNames:
    """Finds free names; asked again for the same columns of the same table, it gives the same name again."""

    def __init__(self, schema: Schema) -> None:
        self._taken: dict[str, set[str]] = defaultdict(set)
        for name, taken in schema.names_taken.items():
            self._taken[name] |= taken
        self._given: dict[tuple[str, ...], str] = {}

    def name(self, table: Table, columns: Sequence[str]) -> str:
        """Return `table_column_idx` in at most 30 bytes, the name of no table or index in the table's schema.

        It is a plain word in lower case that starts with a letter, as Django wants it. Where it would be too long, or
        is taken, the parts are shortened and a hash of the full names tells it from others.
        """
        wanted = (table.schema, table.name, *columns)
        if wanted not in self._given:
            taken = self._taken[table.schema]
            name = next(name for name in _names(table.name, columns) if name not in taken)
            taken.add(name)
            self._given[wanted] = name
        return self._given[wanted]


def _names(table: str, columns: Sequence[str]) -> Iterator[str]:
    from_letter = itertools.dropwhile(lambda character: not character.isalpha(), _word(table))
    table_word, columns_word = "".join(from_letter) or "t", _word("_".join(columns)) or "key"
    full = f"{table_word}_{columns_word}_idx"
    if len(full.encode()) <= MAX_INDEX_NAME_BYTES:
        yield full
    short = f"{truncate_name(table_word, _TABLE_BYTES)}_{truncate_name(columns_word, _COLUMNS_BYTES)}"
    for attempt in itertools.count():
        digest = hashlib.sha256("\0".join((table, *columns, str(attempt))).encode()).hexdigest()[:6]
        yield f"{short}_{digest}_idx"


def _word(text: str) -> str:
    return re.sub(r"\W+", "_", text.lower()).strip("_")
