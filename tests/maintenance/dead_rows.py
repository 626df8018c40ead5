"""Tables with dead rows that autovacuum leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers import Database


def plant(database: Database, table: str, *, dead: int = 400, rows: int = 1_000) -> None:
    """Make `table` (as SQL) with `rows` rows, of which `dead` are deleted, and the counters up to date."""
    database.execute(f"CREATE TABLE {table} (id int, text text) WITH (autovacuum_enabled = off)")
    database.execute(f"INSERT INTO {table} SELECT n, repeat('x', 200) FROM generate_series(1, {rows}) n")
    database.execute(f"VACUUM (ANALYZE) {table}")
    database.execute(f"DELETE FROM {table} WHERE id <= {dead}")
    database.execute("SELECT pg_stat_force_next_flush()")
