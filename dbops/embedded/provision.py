"""What an application finds in a new server: its own role without a superuser's rights, and its own database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from dbops.embedded.postgres import Cluster

ROLE = "dbops"
DATABASE = "dbops"
EXTENSIONS = ("pg_stat_statements", "pg_trgm", "pgstattuple", "amcheck")


def provision(cluster: Cluster) -> None:
    """Make the role and the database, as far as they are missing.

    As in production the role is no superuser. It sees what monitoring sees (pg_monitor), and may create databases,
    so that tests and reset_db work. The extensions need a superuser, so they are there beforehand, in template1 too:
    databases made for tests have them.
    """
    with psycopg.connect(cluster.dsn("template1"), autocommit=True) as connection:
        _create_extensions(connection)
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(sql.Identifier(ROLE)))
        connection.execute(sql.SQL("GRANT pg_monitor TO {}").format(sql.Identifier(ROLE)))
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            create = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(ROLE))
            connection.execute(create)
    with psycopg.connect(cluster.dsn(DATABASE), autocommit=True) as connection:
        _create_extensions(connection)


def _create_extensions(connection: psycopg.Connection) -> None:
    """Create those that the server's packages brought; each is useful on its own."""
    available = connection.execute("SELECT name FROM pg_available_extensions WHERE name = ANY(%s)", [list(EXTENSIONS)])
    for (name,) in available.fetchall():
        connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name)))
