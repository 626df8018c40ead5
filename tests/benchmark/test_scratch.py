"""A scratch database is made, marked, kept where that is wanted, and gone in every other case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict

from dbops.benchmark.scratch import BenchmarkBusyError, BenchmarkError, Scratch
from dbops.benchmark.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Database

NAME = "dbops_bench_test"
TABLES = ("CREATE TABLE one (id int)", "CREATE TABLE two (id int)")


def server_at(database: Database, role: str = "postgres") -> Server:
    found = conninfo_to_dict(database.dsn_for(role))
    return Server("the server here", {name: str(value) for name, value in found.items()})


@pytest.fixture
def scratch(database: Database) -> Iterator[Scratch]:
    """One of this test's own, which is gone in the end."""
    yield Scratch(server_at(database), NAME)
    database.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


def exists(database: Database) -> bool:
    return bool(database.execute("SELECT 1 FROM pg_database WHERE datname = %s", NAME))


def tables_in(database: Database) -> list[str]:
    with database.server.connect(NAME) as connection:
        return [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]


def test_it_is_there_while_it_is_used_and_gone_afterwards(database: Database, scratch: Scratch) -> None:
    with scratch.filled(TABLES, keep=False):
        assert sorted(tables_in(database)) == ["one", "two"]
    assert not exists(database)


def test_a_kept_one_is_used_again_and_then_dropped(database: Database, scratch: Scratch) -> None:
    assert not scratch.is_filled()
    with scratch.filled(TABLES, keep=True):
        pass
    assert scratch.is_filled()
    with scratch.filled(["SELECT 1 / 0"], keep=False):
        assert sorted(tables_in(database)) == ["one", "two"]
    assert not exists(database)


def test_one_that_was_never_finished_is_made_anew(database: Database, scratch: Scratch) -> None:
    database.execute(f"CREATE DATABASE {NAME}")
    database.execute(f"COMMENT ON DATABASE {NAME} IS 'dbops dbbench: being filled'")
    with database.server.connect(NAME) as connection:
        connection.execute("CREATE TABLE half (id int)")
    with scratch.filled(TABLES, keep=False):
        assert sorted(tables_in(database)) == ["one", "two"]


def test_somebody_else_s_database_of_that_name_is_never_touched(database: Database, scratch: Scratch) -> None:
    database.execute(f"CREATE DATABASE {NAME}")
    with pytest.raises(BenchmarkError, match="that no benchmark has made") as refused, scratch.filled([], keep=False):
        pytest.fail("it was used")
    assert refused.value.hint is not None
    assert f"DROP DATABASE {NAME};" in refused.value.hint
    assert exists(database)


@pytest.mark.parametrize("keep", [False, True])
def test_an_interrupted_filling_leaves_nothing_behind(database: Database, scratch: Scratch, *, keep: bool) -> None:
    def broken_off() -> Iterator[str]:
        yield TABLES[0]
        assert exists(database)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), scratch.filled(broken_off(), keep=keep):
        pytest.fail("it was used half filled")
    assert not exists(database)


@pytest.mark.parametrize("keep", [False, True])
def test_an_interrupted_use_leaves_only_what_was_to_be_kept(
    database: Database, scratch: Scratch, *, keep: bool
) -> None:
    with pytest.raises(KeyboardInterrupt), scratch.filled(TABLES, keep=keep):
        raise KeyboardInterrupt
    assert exists(database) is keep


def test_what_the_server_refuses_is_said_and_nothing_stays(database: Database, scratch: Scratch) -> None:
    said = 'cannot be made on the server here: relation "nothing" does not exist'
    with pytest.raises(BenchmarkError, match=said), scratch.filled(["TABLE nothing"], keep=True):
        pytest.fail("it was used")
    assert not exists(database)


def test_without_the_right_to_create_databases_the_remedy_is_named(database: Database) -> None:
    role = database.create_role("bench_nobody")
    scratch = Scratch(server_at(database, role), NAME)
    said = "permission denied to create database"
    with pytest.raises(BenchmarkError, match=said) as refused, scratch.filled(TABLES, keep=False):
        pytest.fail("it was used")
    assert refused.value.hint == "ALTER ROLE bench_nobody CREATEDB;  as a superuser"


def test_two_at_once_do_not_take_one_another_s_database(database: Database, scratch: Scratch) -> None:
    with scratch.filled(TABLES, keep=False):
        said = "another benchmark is at work on the server here"
        with pytest.raises(BenchmarkBusyError, match=said), scratch.filled(TABLES, keep=False):
            pytest.fail("it was used by two")
        assert sorted(tables_in(database)) == ["one", "two"]
