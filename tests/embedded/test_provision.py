"""What an application finds in a new server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from dbops.embedded.provision import DATABASE, EXTENSIONS, ROLE, provision

if TYPE_CHECKING:
    from tests.servers import Server


def test_the_role_may_what_an_application_may_and_no_more(server: Server) -> None:
    with psycopg.connect(server.dsn(DATABASE, user=ROLE), autocommit=True) as connection:
        rights = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolreplication, rolcreatedb, pg_has_role(rolname, 'pg_monitor', 'MEMBER')"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert rights == (False, False, False, True, True)
        connection.execute("CREATE TABLE provision_test ()")
        connection.execute("DROP TABLE provision_test")
        # Without their texts: a statement of another test's SQL_ASCII database is no UTF8, and would fail this one.
        seen = connection.execute("SELECT count(*) > 0 FROM pg_stat_statements(showtext => false)")
        assert seen.fetchone() == (True,)


def test_databases_made_by_the_role_have_the_extensions(server: Server) -> None:
    name = "provision_made"
    with psycopg.connect(server.dsn(user=ROLE), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        with psycopg.connect(server.dsn(name, user=ROLE)) as connection:
            found = {row[0] for row in connection.execute("SELECT extname FROM pg_extension").fetchall()}
            assert set(EXTENSIONS) <= found
    finally:
        with server.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_it_can_be_done_again(server: Server) -> None:
    provision(server.cluster)
    provision(server.cluster)
