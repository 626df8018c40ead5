"""Statements that last, with both drivers: limited by the server, and stopped there by Ctrl-C."""

from __future__ import annotations

from contextlib import closing
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from dbops.collect.session import ConnectionLostError, LookError
from dbops.maintenance.server_work import ServerWork

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Database

pytestmark = pytest.mark.parametrize("server", ["pg18"], indirect=True)
AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%%' AND state = 'active'"


@pytest.fixture(params=["psycopg", "psycopg2"])
def work(request: pytest.FixtureRequest, database: Database) -> Iterator[ServerWork]:
    pytest.importorskip(request.param)
    driver: Any = import_module(request.param)
    with closing(driver.connect(database.dsn)) as connection:
        connection.autocommit = True
        yield ServerWork(connection, driver.Error)


def test_ctrl_c_stops_the_statement_on_the_server_and_the_connection_serves_on(
    work: ServerWork, database: Database
) -> None:
    def interrupt() -> None:
        assert database.execute(AT_WORK) == [(1,)]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work.run("SELECT pg_sleep(60)", limit_s=0, lock_s=0, told=interrupt)
    assert database.execute(AT_WORK) == [(0,)]
    assert work.execute("SELECT 1") == [(1,)]


def test_the_limit_is_the_servers(work: ServerWork) -> None:
    with pytest.raises(LookError) as raised:
        work.run("SELECT pg_sleep(60)", limit_s=0.5, lock_s=0)
    assert raised.value.sqlstate == "57014"


def test_a_server_that_goes_away_is_told_as_that(work: ServerWork, database: Database) -> None:
    def end() -> None:
        database.execute("SELECT pg_terminate_backend(%s)", work.pid)

    with pytest.raises(ConnectionLostError):
        work.run("SELECT pg_sleep(60)", limit_s=0, lock_s=0, told=end)
    assert not work.is_open


def test_a_role_that_ends_long_transactions_does_not_end_this(work: ServerWork) -> None:
    work.execute("SET transaction_timeout = 200")
    work.prepare(18)
    work.run("SELECT pg_sleep(0.6)", limit_s=0, lock_s=0)


def test_every_statement_says_whose_it_is(work: ServerWork, database: Database) -> None:
    def look() -> None:
        [(query,)] = database.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", work.pid)
        assert query == "SELECT pg_sleep(0.7)\n/* dbops */"

    work.run("SELECT pg_sleep(0.7)", limit_s=0, lock_s=0, told=look)
