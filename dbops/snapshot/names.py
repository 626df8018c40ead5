"""Names of database objects, written as PostgreSQL's quote_ident() writes them."""

from __future__ import annotations

import re
from typing import Final

#: Identifiers are cut to this many bytes by the server (NAMEDATALEN - 1).
MAX_NAME_BYTES: Final = 63

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*\Z")

#: Every keyword of PostgreSQL 15 to 18 that is not "unreserved": quote_ident() quotes these.
_KEYWORDS: Final = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast
    char character check coalesce collate collation column concurrently constraint create cross current_catalog
    current_date current_role current_schema current_time current_timestamp current_user dec decimal default
    deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full grant
    greatest group grouping having ilike in initially inner inout int integer intersect interval into is isnull join
    json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize
    json_table json_value lateral leading least left like limit localtime localtimestamp merge_action national natural
    nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay placing
    position precision primary real references returning right row select session_user setof similar smallint some
    substring symmetric system_user table tablesample then time timestamp to trailing treat trim true union unique user
    using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest
    xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
    """.split()
)


def quote_ident(name: str) -> str:
    """Return `name` as SQL: bare when it is a plain lower-case word, else in double quotes."""
    if _PLAIN.match(name) and name not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def qualified(*names: str) -> str:
    """Return a dotted name, each part quoted where it has to be: `public."Mixed Case".id`."""
    return ".".join(quote_ident(name) for name in names)


def quote_literal(text: str) -> str:
    """Return `text` as an SQL string constant that means the same whatever standard_conforming_strings says."""
    quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"
    return "E" + quoted if "\\" in text else quoted


def truncate_name(name: str, max_bytes: int = MAX_NAME_BYTES) -> str:
    """Return `name` as the server keeps it: cut to `max_bytes` bytes of UTF-8, never inside a character."""
    return name.encode()[:max_bytes].decode(errors="ignore")


def derived_name(*parts: str, suffix: str) -> str:
    """Return `part_part_suffix` in at most 63 bytes; the parts are shortened, the suffix stays."""
    room = MAX_NAME_BYTES - len(suffix.encode()) - 1
    return f"{truncate_name('_'.join(parts), room)}_{suffix}"
