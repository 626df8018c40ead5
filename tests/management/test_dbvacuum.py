"""`manage.py dbvacuum` from its options to what it did, on real servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import load_command_class
from psycopg import sql

from tests.maintenance.dead_rows import plant
from tests.render.schemas import valid

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.management.conftest import Ended, Runner
    from tests.servers import Database

    Run = Callable[..., Ended]

PROJECT = Path(__file__).parents[2]
ONE_VERSION = pytest.mark.parametrize("server", ["pg18"], indirect=True)


@pytest.fixture
def dbvacuum(dbanalyze: Runner) -> Run:
    def run(*arguments: object, stdin: str = "") -> Ended:
        return dbanalyze.command(load_command_class("dbops", "dbvacuum"), *arguments, stdin=stdin)

    return run


def dead_rows(database: Database, table: str) -> int:
    [(count,)] = database.execute("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = %s", table)
    return int(count)


# without --apply


def test_it_advises_and_changes_nothing(database: Database, dbvacuum: Run) -> None:
    plant(database, 'public."Mixed Case"')
    database.execute("CREATE TABLE quiet (a int)")

    ended = dbvacuum("--dsn", database.dsn)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{database.name} · PostgreSQL {database.major}.")
    assert '\n    VACUUM (ANALYZE) public."Mixed Case";\n' in ended.out
    assert "400 dead rows; autovacuum comes above 250: 160% full" in ended.out
    assert "autovacuum: it is switched off for this table" in ended.out
    assert "1 table with nothing to do: --all shows them" in ended.out
    assert "public.quiet" not in ended.out
    assert dead_rows(database, "Mixed Case") == 400
    assert "public.quiet  nothing to do" in dbvacuum("--dsn", database.dsn, "--all").out


def test_the_json_has_every_number(database: Database, dbvacuum: Run, tmp_path: Path) -> None:
    plant(database, "public.task")
    file = tmp_path / "vacuum.json"

    ended = dbvacuum("--dsn", database.dsn, "--format", "json", "--output", file)

    assert (ended.code, ended.out) == (0, "")
    document: dict[str, Any] = valid("dbvacuum", file.read_text())
    assert (document["schema"], document["tool"]["name"]) == (1, "dbops")
    [found] = document["databases"]
    assert found["target"]["alias"] is None
    assert found["results"] is None
    [table] = found["tables"]
    assert table["table"] == "public.task"
    assert table["dead_rows"] == {"count": 400, "trigger": 250, "filled_ratio": 1.6}
    assert table["statement"] == "VACUUM (ANALYZE) public.task"
    assert set(table) == {
        *("table", "root", "is_whole", "rows", "size_bytes", "dead_ratio", "dead_rows", "toast_dead_rows"),
        *("inserts_since_vacuum", "changes_since_analyze", "vacuumed_at", "autovacuumed_at", "analyzed_at"),
        *("autoanalyzed_at", "is_vacuumed_now", "hindrance", "held_by", "needs_vacuum", "needs_analyze"),
        *("statement", "obstacle", "bloat", "tunings"),
    }


@ONE_VERSION
def test_a_large_table_of_the_projects_own_gets_a_migration(database: Database, shop: str, dbvacuum: Run) -> None:
    database.execute("CREATE TABLE dbops_tasks_task (id bigint PRIMARY KEY)")
    database.execute("UPDATE pg_class SET reltuples = 20000000, relpages = 100000 WHERE relname = 'dbops_tasks_task'")

    text = dbvacuum("--database", shop, "--table", "dbops_tasks.Task", "-v").out

    assert "ALTER TABLE public.dbops_tasks_task SET (autovacuum_vacuum_scale_factor = 0.01," in text
    assert "migrations.RunSQL(" in text
    assert "undo in SQL:" in text


@ONE_VERSION
def test_what_holds_dead_rows_is_named(database: Database, dbvacuum: Run) -> None:
    plant(database, "public.task")
    database.execute("CREATE TABLE other (a int)")
    with database.connect(autocommit=False, application_name="report") as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT count(*) FROM other")
        out = dbvacuum("--dsn", database.dsn).out
    assert "held back: the session of postgres@report" in out


# with --apply


def test_it_removes_dead_rows_and_says_so(database: Database, dbvacuum: Run) -> None:
    plant(database, 'public."Mixed Case"')

    ended = dbvacuum("--dsn", database.dsn, "--apply", "--yes")

    assert (ended.code, ended.err) == (0, "")
    assert "1 statement, one at a time; at most 1 h for each, a table locked for more than 2 s is skipped" in ended.out
    assert 'done      VACUUM (ANALYZE) public."Mixed Case" · dead rows 400 → 0' in ended.out
    assert dead_rows(database, "Mixed Case") == 0
    assert "Nothing to do in 1 table." in dbvacuum("--dsn", database.dsn, "--apply").out


def test_rows_that_somebody_may_still_look_at_end_with_4(database: Database, dbvacuum: Run) -> None:
    database.execute("CREATE TABLE other (a int)")
    with database.connect(autocommit=False, application_name="report") as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT count(*) FROM other")
        plant(database, "public.task")
        ended = dbvacuum("--dsn", database.dsn, "--apply", "--yes")
        again = dbvacuum("--dsn", database.dsn)
    assert ended.code == 4
    assert "dead rows 400 → 400" in ended.out
    assert "dead rows stay as long as the session of postgres@report" in ended.out
    assert "the last vacuum left rows: the session of postgres@report" in again.out


def test_a_locked_table_is_skipped_with_4(database: Database, dbvacuum: Run) -> None:
    plant(database, "public.locked")
    plant(database, "public.free", dead=300)
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE public.locked IN SHARE MODE")
        ended = dbvacuum("--dsn", database.dsn, "--apply", "--yes", "--lock-timeout", 1)
    assert ended.code == 4
    assert "1 of 2 statements done" in ended.out
    assert "skipped   VACUUM (ANALYZE) public.locked" in ended.out
    assert "another session has it locked for more than 1 s" in ended.out


def test_a_role_without_the_right_is_told_what_it_lacks(database: Database, dbvacuum: Run) -> None:
    plant(database, "public.task")
    role = database.create_role("dbops_vacuum_reader")

    ended = dbvacuum("--dsn", database.dsn_for(role), "--apply", "--yes")

    assert ended.code == 4
    lacks = "GRANT MAINTAIN ON public.task TO" if database.major >= 17 else "GRANT postgres TO dbops_vacuum_reader"
    assert lacks in ended.out
    assert dead_rows(database, "task") == 400


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_maintain_is_enough(database: Database, dbvacuum: Run) -> None:
    plant(database, "public.task")
    role = database.create_role("dbops_vacuum_keeper")
    database.execute(sql.SQL("GRANT MAINTAIN ON public.task TO {}").format(sql.Identifier(role)))

    ended = dbvacuum("--dsn", database.dsn_for(role), "--apply", "--yes")
    database.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))

    assert ended.code == 0
    assert dead_rows(database, "task") == 0


@pytest.mark.parametrize("kind", ["text", "json"])
@ONE_VERSION
def test_the_plan_alone_writes_nothing(database: Database, dbvacuum: Run, kind: str) -> None:
    plant(database, "public.task")

    ended = dbvacuum("--dsn", database.dsn, "--apply", "--plan", "--format", kind)

    assert ended.code == 0
    assert "VACUUM (ANALYZE) public.task" in ended.out
    assert dead_rows(database, "task") == 400


@ONE_VERSION
def test_nobody_to_ask_ends_with_2(database: Database, dbvacuum: Run) -> None:
    plant(database, "public.task")

    ended = dbvacuum("--dsn", database.dsn, "--apply")

    assert ended.code == 2
    assert "nobody can be asked" in ended.err
    assert dead_rows(database, "task") == 400


@ONE_VERSION
def test_the_json_of_what_was_done_is_all_of_standard_output(database: Database, dbvacuum: Run) -> None:
    plant(database, "public.task")

    ended = dbvacuum("--dsn", database.dsn, "--apply", "--yes", "--format", "json")

    [found] = valid("dbvacuum", ended.out)["databases"]
    [result] = found["results"]
    assert (result["outcome"], result["dead_rows_before"], result["dead_rows_after"]) == ("done", 400, 0)
    assert "VACUUM (ANALYZE) public.task;" in ended.err


@ONE_VERSION
def test_only_the_chosen_tables_are_worked_at(database: Database, dbvacuum: Run) -> None:
    plant(database, "public.one")
    plant(database, "public.two")

    assert dbvacuum("--dsn", database.dsn, "--apply", "--yes", "--table", "two").code == 0

    assert (dead_rows(database, "one"), dead_rows(database, "two")) == (400, 0)


@ONE_VERSION
def test_ctrl_c_harms_nothing_and_what_was_done_is_said(database: Database) -> None:
    plant(database, "public.first", dead=900)
    plant(database, "public.second")
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE public.second IN SHARE MODE")
        command = ("manage.py", "dbvacuum", "--dsn", database.dsn, "--apply", "--yes", "--lock-timeout", "60")
        with subprocess.Popen(
            (sys.executable, *command),
            cwd=PROJECT,
            env={**os.environ, "DEBUG": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
            deadline = time.monotonic() + 30
            while database.execute(waiting, database.name) == [(0,)] and time.monotonic() < deadline:
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "dbvacuum: interrupted" in err
    assert "1 of 2 statements done" in out
    assert "VACUUM (ANALYZE) public.first · dead rows 900 → 0" in out
    assert database.execute(waiting, database.name) == [(0,)]


# what it refuses


@ONE_VERSION
def test_a_table_that_is_not_there_ends_with_2(database: Database, dbvacuum: Run) -> None:
    plant(database, "public.task")
    ended = dbvacuum("--dsn", database.dsn, "--table", "taks")
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "dbvacuum: there is no table 'taks', neither as it is nor on the search path",
        "HINT: did you mean task?",
    ]


def test_no_password_is_repeated(dbvacuum: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = dbvacuum("--dsn", "postgresql://me:s3cret@127.0.0.1:1/shop", "--apply", "--yes")
    monkeypatch.setenv("DBOPS_DSN", "postgresql://me:s3cret@127.0.0.1:1/shop")
    from_variable = dbvacuum()
    assert (ended.code, from_variable.code) == (2, 2)
    assert "s3cret" not in ended.out + ended.err + from_variable.out + from_variable.err


@ONE_VERSION
def test_no_password_is_in_what_is_written(database: Database, dbvacuum: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(database, "public.task")
    monkeypatch.setenv("DBOPS_DSN", f"{database.dsn} password=s3cret")
    for kind in ("text", "json"):
        ended = dbvacuum("--format", kind, "-v")
        assert ended.code == 0
        assert "s3cret" not in ended.out + ended.err


# indexes


@ONE_VERSION
def test_ctrl_c_names_the_index_that_a_rebuild_leaves_behind(database: Database) -> None:
    database.execute("CREATE TABLE task (a int)")
    database.execute("CREATE INDEX task_a ON task (a)")
    database.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'task_a'::regclass")
    with database.connect(autocommit=False) as other:
        other.execute("INSERT INTO task VALUES (1)")  # REINDEX CONCURRENTLY waits for it
        command = ("manage.py", "dbvacuum", "--dsn", database.dsn, "--reindex", "--apply", "--yes")
        with subprocess.Popen(
            (sys.executable, *command),
            cwd=PROJECT,
            env={**os.environ, "DEBUG": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'REINDEX%%' AND state = 'active'"
            deadline = time.monotonic() + 30
            while database.execute(waiting) == [(0,)] and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        assert database.execute(waiting) == [(0,)]
    assert process.returncode == 2
    assert "dbvacuum: interrupted" in err
    assert "stopped   REINDEX INDEX CONCURRENTLY public.task_a" in out
    assert "DROP INDEX CONCURRENTLY public.task_a_ccnew;" in out
    [(left,)] = database.execute("SELECT count(*) FROM pg_class WHERE relname = 'task_a_ccnew'")
    assert left == 1


@ONE_VERSION
def test_without_reindex_an_invalid_index_is_only_named(database: Database, dbvacuum: Run) -> None:
    database.execute("CREATE TABLE task (a int)")
    database.execute("CREATE INDEX task_a ON task (a)")
    database.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'task_a'::regclass")

    assert "REINDEX INDEX CONCURRENTLY public.task_a;" in dbvacuum("--dsn", database.dsn).out
    assert dbvacuum("--dsn", database.dsn, "--apply", "--yes").code == 0
    done = dbvacuum("--dsn", database.dsn, "--apply", "--yes", "--reindex")

    assert done.code == 0
    assert "done      REINDEX INDEX CONCURRENTLY public.task_a" in done.out
    assert "Nothing to do" in dbvacuum("--dsn", database.dsn, "--reindex").out


@ONE_VERSION
def test_through_a_pooler_nothing_is_changed(database: Database, pooler: Path, dbvacuum: Run) -> None:
    plant(database, "public.task")
    dsn = f"host={pooler} port=6432 user=postgres dbname={database.name}"
    assert dbvacuum("--dsn", dsn).code == 0
    ended = dbvacuum("--dsn", dsn, "--apply", "--yes")
    assert ended.code == 2
    assert "reached through a pooler" in ended.err
    assert dead_rows(database, "task") == 400
