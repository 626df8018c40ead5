"""A real bloated table, made quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers import Database


def empty_a_table(database: Database) -> None:
    """Make `emptied`, of whose 23 MB one row in twenty is left; call it while no transaction is open."""
    database.execute("CREATE TABLE emptied (id int, filler text) WITH (autovacuum_enabled = off)")
    database.execute("ALTER TABLE emptied ALTER COLUMN filler SET STORAGE PLAIN")
    database.execute("INSERT INTO emptied SELECT i, repeat('x', 1500) FROM generate_series(1, 15000) i")
    database.execute("DELETE FROM emptied WHERE id % 20 <> 0")
    database.execute("VACUUM ANALYZE emptied")
