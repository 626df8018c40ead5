"""What all workloads' seeding shares: rows with known keys, made by the server in batches.

A seeded row is recognised by its primary key, 1 to n, and every value in it is drawn by a hash of that key and the
seed, so one INSERT … SELECT from generate_series makes a whole batch without a byte going over the wire, the same
bytes on every server and every time. Keys that exist are left as they are: seeding again adds what is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connections

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import Model

    from .registry import Progress

# Reserved for examples (RFC 2606): nobody's mail is delivered there. Seeded users have addresses in them, and only
# users who have are given seeded rows, so that a person's own data never gets any.
EXAMPLE_DOMAINS = ("example.com", "example.net", "example.org")

BATCH_ROWS = 10_000


def insert_batches(
    using: str, sql: str, parameters: Mapping[str, Any], *, keys: int, what: str, progress: Progress
) -> None:
    """Runs `sql` for keys 1 to `keys`, a batch at a time as `%(first)s` and `%(last)s`.

    Outside a transaction each batch is committed by itself: what is interrupted keeps its batches, and the next call
    makes the rest.
    """
    with connections[using].cursor() as cursor:
        for first in range(1, keys + 1, BATCH_ROWS):
            last = min(first + BATCH_ROWS - 1, keys)
            cursor.execute(sql, {**parameters, "first": first, "last": last})
            progress(last, keys, what)


def reserve_keys(using: str, model: type[Model], keys: int) -> None:
    """Moves the sequence of the primary key past `keys`, if it is not there yet.

    To be called before the rows are made: a row that somebody adds meanwhile then gets a key beyond the seeded ones,
    and the sequence never lags behind, even if seeding is interrupted.
    """
    pk = model._meta.pk
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT setval(sequence, %(keys)s)"
            " FROM (SELECT pg_get_serial_sequence(%(table)s, %(column)s)::regclass AS sequence) AS owned"
            " WHERE coalesce(pg_sequence_last_value(sequence), 0) < %(keys)s",
            {"keys": keys, "table": connections[using].ops.quote_name(model._meta.db_table), "column": pk.column},
        )


def analyze(using: str, *models: type[Model]) -> None:
    """Gives the planner statistics of what was just made, which autovacuum would do within a minute or so."""
    quote = connections[using].ops.quote_name
    with connections[using].cursor() as cursor:
        # What this session has counted is reported now: reported after ANALYZE, it would pass for changes since.
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("ANALYZE " + ", ".join(quote(model._meta.db_table) for model in models))
