"""A table's rows as one short text, to say that they are the same."""

from __future__ import annotations

from django.db import connection


def digest(table: str, where: str = "true") -> str:
    """`number:md5` of the whole rows of `table` (or a query in brackets), in an order that no collation changes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) || ':' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text COLLATE \"C\")), '')"
            f" FROM {table} AS t WHERE {where}"
        )
        (row,) = cursor.fetchall()
    return str(row[0])
