from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Server

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def module_dsn(server: Server) -> Iterator[str]:
    """An empty database for all tests of a module that only look at it."""
    name = f"dbops_owners_{next(_numbers)}"
    with server.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        yield server.dsn(name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
