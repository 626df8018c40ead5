"""Windows between looks at real servers, which are reset, restarted, killed, overrun and upgraded in between."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.embedded.postgres import Cluster
from dbops.snapshot.activity import with_activity
from dbops.snapshot.snapshot import Unavailable
from dbops.snapshot.statement_text import OWN
from tests.looking import snapshot_of
from tests.servers import Database, Server
from tests.windows import Before, flush

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from dbops.embedded.binaries import Binaries
    from dbops.snapshot.snapshot import Snapshot
    from tests.servers import Servers

    OnServer = Callable[..., "Own"]

OF_TABLES = ("window", "table_activity", "index_activity", "database_activity")
OF_STATEMENTS = ("statement_window", "statement_activity")
OLDEST_AND_NEWEST = pytest.mark.parametrize("major", [15, 18])
# A text key, since dbops itself looks up the largest key of an integer one.
TABLE = """
    CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
    CREATE TABLE task (id text PRIMARY KEY, hits integer NOT NULL, rank integer NOT NULL)
        WITH (fillfactor = 50, autovacuum_enabled = off);
    CREATE INDEX task_rank ON task (rank);
    INSERT INTO task SELECT n, 0, n FROM generate_series(1, 10) AS n
"""


class Own:
    """A server of a test's own, which it may stop, kill and start again."""

    def __init__(self, cluster: Cluster, binaries: Binaries) -> None:
        self.cluster, self.binaries = cluster, binaries

    @contextmanager
    def running(self, name: str = "postgres") -> Iterator[Database]:
        """Start the server unless it runs; all sessions end with the block."""
        self.cluster.ensure_started(lambda _major: [self.binaries])
        with ExitStack() as opened:
            yield Database(Server(self.cluster, self.binaries), name, opened)

    def kill(self) -> None:
        os.kill(int((self.cluster.data_dir / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)


@pytest.fixture
def on_server(servers: Servers, place: Path) -> Iterator[OnServer]:
    """Makes servers that are stopped after the test."""
    with ExitStack() as ends:

        def make(major: int, settings: Mapping[str, str] | None = None) -> Own:
            if major not in servers.binaries:
                pytest.skip(f"there is no PostgreSQL {major} on this machine")
            name = f"pg{major}"
            cluster = Cluster(place / name, place / f"{name}-socket", settings or {}, durable=False)
            ends.callback(cluster.stop)
            return Own(cluster, servers.binaries[major])

        yield make


def before(database: Database) -> Before:
    flush(database)
    return Before(snapshot_of(database))


def window(database: Database, *points: Before) -> Snapshot:
    flush(database)
    return with_activity(snapshot_of(database), points)


def insert(database: Database, key: str, count: int) -> None:
    """Insert rows one by one: as many calls of one statement."""
    for number in range(count):
        database.execute(f"INSERT INTO task VALUES ('{key}{number}', 1, 1)")


def rows_of(snapshot: Snapshot, section: str) -> tuple[Any, ...]:
    found = snapshot.section(section)
    assert not isinstance(found, Unavailable), found
    return found


def table_of(snapshot: Snapshot, name: str = "task") -> Any:
    (oid,) = (table.oid for table in rows_of(snapshot, "tables") if table.name == name)
    (row,) = (row for row in rows_of(snapshot, "table_activity") if row.oid == oid)
    return row


def calls_of(snapshot: Snapshot, begins: str) -> int:
    statements = rows_of(snapshot, "statement_activity")
    return sum(row.calls for row in statements if row.text and row.text.startswith(begins))


def assert_none(snapshot: Snapshot, sections: tuple[str, ...]) -> None:
    assert {name for name in sections if not isinstance(snapshot.section(name), Unavailable)} == set()


def test_everything_is_counted_exactly(database: Database) -> None:
    database.execute(TABLE)
    database.execute("SELECT sum(hits) FROM task")
    point = before(database)
    database.execute("INSERT INTO task SELECT 'n' || n, 0, n FROM generate_series(1, 5) AS n")
    database.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    for _ in range(3):
        database.execute("UPDATE task SET hits = hits + 1 WHERE id = '1'")
    for _ in range(2):
        database.execute("UPDATE task SET rank = rank + 100 WHERE id = '2'")
    database.execute("DELETE FROM task WHERE id = '3'")
    for _ in range(6):
        database.execute("SELECT hits FROM task WHERE rank = 7")
    database.execute("RESET enable_seqscan; RESET enable_bitmapscan")
    for _ in range(4):
        database.execute("SELECT sum(hits) FROM task")
    snapshot = window(database, point)

    table = table_of(snapshot)
    assert (table.inserts, table.updates, table.hot_updates, table.deletes) == (5, 5, 3, 1)
    assert table.newpage_updates == (0 if database.major >= 16 else None)
    assert (table.sequential_scans, table.sequential_rows, table.index_scans) == (4, 4 * 14, 3 + 2 + 1 + 6)
    names = {index.oid: index.name for index in rows_of(snapshot, "indexes")}
    scans = {names[row.oid]: row.scans for row in rows_of(snapshot, "index_activity")}
    assert scans == {"task_pkey": 6, "task_rank": 6}

    calls = {text: calls_of(snapshot, text) for text in ("UPDATE task SET hits", "UPDATE task SET rank", "SELECT hits")}
    assert calls == {"UPDATE task SET hits": 3, "UPDATE task SET rank": 2, "SELECT hits": 6}
    assert calls_of(snapshot, "SELECT sum(hits)") == 4
    assert calls_of(snapshot, "CREATE TABLE task") == 0
    (tally,) = rows_of(snapshot, "window")
    assert (tally.source, tally.breaks, tally.is_lower_bound) == ("history", (), False)
    assert tally.covered_s == (tally.ended_at - point.taken_at).total_seconds() > 0
    assert rows_of(snapshot, "database_activity")[0].commits >= 17


def test_what_dbops_runs_itself_is_left_out(database: Database) -> None:
    database.execute(TABLE)
    point = before(database)
    for _ in range(3):
        snapshot_of(database)
    snapshot = window(database, point)
    own = {text.query_id for text in rows_of(snapshot, "statement_texts") if text.is_own}
    assert own & {row.query_id for row in rows_of(snapshot, "statement_counters")}
    assert not own & {row.query_id for row in rows_of(snapshot, "statement_activity")}
    assert calls_of(snapshot, OWN) == 0
    assert calls_of(snapshot, "SELECT pg_stat_force_next_flush") == 1


@pytest.mark.parametrize("reset", ["pg_stat_reset()", "pg_stat_reset_single_table_counters('task'::regclass)"])
def test_counters_are_not_subtracted_across_a_reset(database: Database, reset: str) -> None:
    database.execute(TABLE)
    points = [before(database)]
    insert(database, "a", 3)
    points.append(before(database))
    insert(database, "b", 20)
    flush(database)
    database.execute(f"SELECT {reset}")
    assert_none(window(database, *points[1:]), OF_TABLES)
    points.append(before(database))
    insert(database, "c", 4)
    snapshot = window(database, *points)
    assert table_of(snapshot).inserts == 3 + 4
    (tally,) = rows_of(snapshot, "window")
    assert [text.split(" at ")[0] for text in tally.breaks] == ["reset"]
    assert tally.covered_s < (tally.ended_at - tally.started_at).total_seconds()
    assert calls_of(snapshot, "INSERT INTO task VALUES") == 3 + 20 + 4
    assert rows_of(snapshot, "statement_window")[0].breaks == ()


def test_without_points_the_window_begins_with_a_reset_of_all_but_not_of_one_table(database: Database) -> None:
    database.execute(TABLE)
    database.execute("CREATE TABLE other ()")
    database.execute("VACUUM other")
    insert(database, "a", 20)
    flush(database)
    database.execute("SELECT pg_stat_reset_single_table_counters('task'::regclass)")
    assert_none(window(database), OF_TABLES)
    database.execute("SELECT pg_stat_reset()")
    insert(database, "b", 3)
    snapshot = window(database)
    assert table_of(snapshot).inserts == 3
    assert rows_of(snapshot, "window")[0].source == "pg_stat_database"


def test_statements_are_not_subtracted_across_their_reset(database: Database) -> None:
    database.execute(TABLE)
    points = [before(database)]
    insert(database, "a", 3)
    points.append(before(database))
    insert(database, "b", 20)
    database.execute("SELECT pg_stat_statements_reset()")
    assert_none(window(database, *points[1:]), OF_STATEMENTS)
    alone = window(database)
    assert rows_of(alone, "statement_window")[0].source == "pg_stat_statements"
    assert calls_of(alone, "INSERT INTO task VALUES") == 0
    points.append(before(database))
    insert(database, "c", 4)
    snapshot = window(database, *points)
    assert calls_of(snapshot, "INSERT INTO task VALUES") == 3 + 4
    assert [text.split(" at ")[0] for text in rows_of(snapshot, "statement_window")[0].breaks] == ["reset"]
    assert table_of(snapshot).inserts == 3 + 20 + 4


def test_one_statement_that_was_reset_counts_what_it_did_since(database: Database) -> None:
    database.execute(TABLE)
    insert(database, "a", 20)
    point = before(database)
    insert(database, "b", 5)
    database.execute(
        "SELECT pg_stat_statements_reset(0, 0, queryid) FROM pg_stat_statements WHERE query LIKE 'INSERT INTO task V%'"
    )
    insert(database, "c", 4)
    assert calls_of(window(database, point), "INSERT INTO task VALUES") == 4


def test_another_database_of_the_same_server_has_no_window_with_it(database: Database) -> None:
    database.execute(TABLE)
    with ExitStack() as opened:
        point = before(Database(database.server, "postgres", opened))
    snapshot = window(database, point)
    assert_none(snapshot, OF_TABLES)
    assert rows_of(snapshot, "statement_window")[0].source == "pg_stat_statements"


@OLDEST_AND_NEWEST
def test_a_clean_restart_is_left_out_of_the_window(on_server: OnServer, major: int) -> None:
    own = on_server(major)
    with own.running() as database:
        database.execute(TABLE)
        points = [before(database)]
        insert(database, "a", 3)
        points.append(before(database))
        insert(database, "b", 20)
    own.cluster.stop()
    with own.running() as database:
        assert_none(window(database, *points[1:]), (*OF_TABLES, *OF_STATEMENTS))
        points.append(before(database))
        insert(database, "c", 4)
        snapshot = window(database, *points)
    assert table_of(snapshot).inserts == 3 + 4
    assert calls_of(snapshot, "INSERT INTO task VALUES") == 3 + 4
    runs = points[1].taken_at - points[0].taken_at, rows_of(snapshot, "window")[0].ended_at - points[2].taken_at
    for name in ("window", "statement_window"):
        (tally,) = rows_of(snapshot, name)
        assert tally.covered_s == pytest.approx(sum(run.total_seconds() for run in runs))
        assert [text.split(" at ")[0] for text in tally.breaks] == ["restarted"]


@OLDEST_AND_NEWEST
@pytest.mark.parametrize("killed", ["postmaster", "backend"])
def test_nothing_is_subtracted_across_a_crash(on_server: OnServer, major: int, killed: str) -> None:
    own = on_server(major)
    with own.running() as database:
        database.execute(TABLE)
        point = before(database)
        insert(database, "a", 20)
        flush(database)
        # Without fsync a commit may be lost in a crash; what was checkpointed is not.
        database.execute("CHECKPOINT")
    if killed == "postmaster":
        own.kill()
    else:
        with psycopg.connect(own.cluster.dsn(), autocommit=True) as victim:
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                victim.execute("SELECT pg_sleep(60)")
        wait_until_it_answers(own.cluster)
    with own.running() as database:
        insert(database, "b", 2)
        assert_none(window(database, point), (*OF_TABLES, *OF_STATEMENTS))
        after = before(database)
        insert(database, "c", 4)
        snapshot = window(database, point, after)
        alone = window(database)
    assert table_of(snapshot).inserts == 4
    assert calls_of(snapshot, "INSERT INTO task VALUES") == 4
    assert rows_of(snapshot, "window")[0].started_at == after.taken_at
    # The crash itself is where all counters began.
    assert table_of(alone).inserts == 2 + 4
    assert calls_of(alone, "INSERT INTO task VALUES") == 2 + 4
    assert rows_of(alone, "window")[0].started_at > point.taken_at


def wait_until_it_answers(cluster: Cluster) -> None:
    """Wait for the end of recovery: until then connections are refused."""
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(cluster.dsn()).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


@OLDEST_AND_NEWEST
def test_dropped_statements_never_make_a_count_too_large(on_server: OnServer, major: int) -> None:
    own = on_server(major, {"pg_stat_statements.max": "100"})
    with own.running() as database:
        database.execute(TABLE)
        insert(database, "a", 5)
        point = before(database)
        true = 0
        for group in range(8):
            insert(database, f"b{group}-", 3)
            true += 3
            for number in range(50):
                columns = ", ".join(f"1 AS c{group}_{number}_{column}" for column in range(1 + number % 3))
                database.execute(f"SELECT {columns} FROM (VALUES ({', '.join('1' * (1 + group * 50 + number))})) AS v")
        insert(database, "d", 2)
        true += 2
        snapshot = window(database, point)
    assert rows_of(snapshot, "statement_window")[0].is_lower_bound
    assert not rows_of(snapshot, "window")[0].is_lower_bound
    assert 2 <= calls_of(snapshot, "INSERT INTO task VALUES") <= true
    assert table_of(snapshot).inserts == true
    for row in rows_of(snapshot, "statement_activity"):
        assert row.calls > 0
        assert min(row.rows, row.total_ms, row.shared_blocks_hit, row.shared_blocks_read, row.wal_bytes) >= 0
        assert row.mean_ms <= row.max_ms + 0.01


def test_the_same_database_on_a_newer_server_has_no_window_with_the_old(on_server: OnServer) -> None:
    old, new = on_server(15), on_server(18)
    with old.running() as database:
        database.execute(TABLE)
        points = [before(database)]
        insert(database, "a", 20)
        points.append(before(database))
        dump = subprocess.run(
            [new.binaries.program("pg_dump"), "--inserts", database.dsn], check=True, capture_output=True, text=True
        ).stdout
    old.cluster.stop()
    with new.running() as database:
        # psql's own commands, and a statistic of columns that some builds of 15 have and 18 refuses.
        lines = [line for line in dump.splitlines() if not line.startswith("\\") and "pg_attver" not in line]
        database.execute("\n".join(lines))
        database.execute("RESET ALL")  # a dump empties the search path
        assert database.execute("SELECT count(*) FROM task") == [(10 + 20,)]
        assert_none(window(database, *points), (*OF_TABLES, *OF_STATEMENTS))
        points.append(before(database))
        insert(database, "c", 4)
        snapshot = window(database, *points)
    # What the old server counted between its two looks was of another table's oid: a window begins with the new one.
    for name in ("window", "statement_window"):
        assert rows_of(snapshot, name)[0].started_at == points[2].taken_at
    assert table_of(snapshot).inserts == 4
    assert calls_of(snapshot, "INSERT INTO public.task VALUES") == 4  # as the dump has it, which ran first
