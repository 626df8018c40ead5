"""A standby is looked at as well as its primary; what only the primary knows is said to be unknown."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from dbops.collect.postgres import READ_HERE, collect
from dbops.collect.session import Session
from dbops.diagnose import diagnose_dsn
from dbops.embedded.postgres import Cluster
from dbops.findings.report import Outcome
from dbops.snapshot.snapshot import Unavailable
from tests.looking import NO_MODELS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Database


@pytest.fixture
def standby(database: Database, place: Path) -> Iterator[Cluster]:
    """A streaming standby of the server that holds `database`."""
    primary = database.server
    primary.cluster.account.take(place)
    data_dir = place / "data"
    program = primary.binaries.program("pg_basebackup")
    argv: list[str | Path] = [
        program,
        "-D",
        data_dir,
        "-d",
        primary.dsn(),
        "--write-recovery-conf",
        "-Xfetch",
        "-cfast",
        "--no-sync",
    ]
    copied = primary.cluster.account.run(argv)
    assert copied.returncode == 0, copied.stderr
    cluster = Cluster(data_dir, place / "socket", durable=False, account=primary.cluster.account)
    cluster.ensure_started(lambda _: [primary.binaries])
    yield cluster
    cluster.stop()


def test_a_standby_is_read_like_its_primary(database: Database, standby: Cluster) -> None:
    database.execute("""
        CREATE TABLE kept (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
        CREATE UNLOGGED TABLE lost (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
        INSERT INTO kept SELECT FROM generate_series(1, 5);
        CREATE TABLE twice AS SELECT 1 AS code FROM generate_series(1, 2);
    """)
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute("CREATE UNIQUE INDEX CONCURRENTLY half ON twice (code)")
    (sent,) = database.execute("SELECT pg_current_wal_insert_lsn()")[0]
    with psycopg.connect(standby.dsn(database.name), autocommit=True) as connection:
        while connection.execute("SELECT pg_last_wal_replay_lsn() < %s", [sent]).fetchone() == (True,):
            time.sleep(0.01)
        snapshot = collect(Session(connection, psycopg.Error), alias=None, database="", given=NO_MODELS)
    assert snapshot.interrupted is None
    unread = {name: rows.reason for name in READ_HERE if isinstance(rows := snapshot.section(name), Unavailable)}
    assert unread == {
        "table_statistics": "a standby counts no writes and no dead rows: look at its primary",
        **dict.fromkeys(
            ("statement_counters", "statement_texts"),
            "pg_stat_statements is not here: CREATE EXTENSION pg_stat_statements",
        ),
    }
    assert snapshot.server is not None
    assert snapshot.server.is_standby
    sequences = {row.oid: row.name for row in snapshot.section("sequences")}  # type: ignore[union-attr]
    values = {sequences[row.sequence_oid]: row for row in snapshot.section("sequence_values")}  # type: ignore[union-attr]
    # WAL carries a sequence 32 values ahead, so that is where a standby sees it.
    assert values["kept_id_seq"].last_value in range(5, 5 + 33)
    assert values["lost_id_seq"].unseen is not None
    indexes = {row.name: row for row in snapshot.section("indexes")}  # type: ignore[union-attr]
    assert indexes["half"].is_being_built is None


def test_what_is_found_on_a_standby_is_mended_on_its_primary(database: Database, standby: Cluster) -> None:
    database.execute("CREATE TABLE keyless AS SELECT 1 AS code")
    (sent,) = database.execute("SELECT pg_current_wal_insert_lsn()")[0]
    with psycopg.connect(standby.dsn(database.name), autocommit=True) as connection:
        while connection.execute("SELECT pg_last_wal_replay_lsn() < %s", [sent]).fetchone() == (True,):
            time.sleep(0.01)
    (found,) = diagnose_dsn(standby.dsn(database.name), only=["missing_primary_key"]).findings
    assert found.fix is not None
    assert str(found.fix.caution).startswith("this is a standby: run it on its primary")
    report = diagnose_dsn(standby.dsn(database.name), only=["overdue_vacuum", "stale_statistics"])
    assert {result.outcome for result in report.results} == {Outcome.SKIPPED}
