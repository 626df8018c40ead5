"""Statements as files that a person can run by hand: `sql/<section>.sql`, from a major version on `.pgNN.sql`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any, Final

_SQL: Final = files("dbops.collect") / "sql"


def has_statement(section: str) -> bool:
    """Return whether there is a statement for `section`."""
    return (_SQL / f"{section}.sql").is_file()


@cache
def statement(section: str, major: int) -> str:
    """Return the SQL that reads `section` on PostgreSQL `major`, by the newest variant that it can run."""
    variants: dict[int, Any] = {}
    for file in _SQL.iterdir():
        match = re.fullmatch(rf"{section}(?:\.pg(\d+))?\.sql", file.name)
        if match:
            variants[int(match[1] or 0)] = file
    return str(variants[max(version for version in variants if version <= major)].read_text())
