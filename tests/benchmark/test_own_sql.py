"""What a look sends can be run again in psql, and does not grow with every table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psycopg
import pytest

from dbops.benchmark.own_sql import RecordedSession, find_psql, recorded_look, run_in_psql, write_script
from dbops.benchmark.scratch import BenchmarkError
from dbops.collect.batches import BATCH
from tests.benchmark.test_scratch import server_at

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import Database


def _tables(database: Database, numbers: range) -> None:
    for number in numbers:
        database.execute(f"CREATE TABLE t{number} (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)")


def test_a_look_sends_as_many_statements_to_a_hundred_tables_as_to_one(database: Database) -> None:
    _tables(database, range(1))
    few = recorded_look(database.dsn)
    _tables(database, range(1, BATCH))
    assert len(recorded_look(database.dsn)) == len(few)


def test_what_is_read_object_by_object_comes_in_batches(database: Database) -> None:
    """Sequences and the keys they feed: two batches more, each read and given back."""
    _tables(database, range(BATCH))
    one_batch = recorded_look(database.dsn)
    _tables(database, range(BATCH, BATCH + 1))
    assert len(recorded_look(database.dsn)) == len(one_batch) + 2 * 2


def test_what_was_sent_runs_in_psql(database: Database, tmp_path: Path) -> None:
    _tables(database, range(2))
    script = tmp_path / "look.sql"
    statements = recorded_look(database.dsn)
    assert "SET LOCAL statement_timeout = 5000" in statements
    assert any("FROM pg_index i" in statement for statement in statements)
    write_script(script, statements)
    server = server_at(database)
    assert run_in_psql(find_psql(), script, server, database.name, dict(os.environ)) > 0


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_parameters_are_written_in_their_places(database: Database) -> None:
    session = RecordedSession(database.connect(), psycopg.Error)
    with session.transaction():
        assert session.read("SELECT %s::bigint[] AS oids", [[1, 2]]) == [{"oids": (1, 2)}]
    (sent,) = [statement for statement in session.sent if statement.startswith("SELECT")]
    assert database.execute(sent) == [([1, 2],)]


def test_a_database_that_cannot_be_reached_is_an_error_and_no_figure(database: Database, tmp_path: Path) -> None:
    script = tmp_path / "look.sql"
    write_script(script, ["SELECT 1"])
    with pytest.raises(BenchmarkError, match=r"psql cannot run our statements: .*does not exist"):
        run_in_psql(find_psql(), script, server_at(database), "nowhere", dict(os.environ))


def test_without_psql_there_is_nothing_to_compare_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchmarkError, match="there is no psql on PATH"):
        find_psql()
