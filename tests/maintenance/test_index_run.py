"""Indexes built anew and dropped on real servers, and what comes of each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import psycopg
import pytest

from dbops.findings.vacuum_advice import Cause, Outcome, Treated
from dbops.maintenance.one_run import MaintenanceBusyError
from dbops.maintenance.vacuum_look import look
from dbops.maintenance.vacuum_run import Limits, opened_run
from dbops.sources import connect_dsn

if TYPE_CHECKING:
    from dbops.findings.vacuum_advice import VacuumPlan
    from dbops.maintenance.vacuum_run import Step
    from tests.servers import Database

ONE_VERSION = pytest.mark.parametrize("server", ["pg18"], indirect=True)
#: As an interrupted REINDEX CONCURRENTLY leaves it.
LEFTOVER = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{}'::regclass"


def plan_for(dsn: str) -> VacuumPlan:
    with connect_dsn(dsn) as (connection, error):
        return look(connection, error, alias=None, with_bloat=True, is_reindexing=True)


def treated(
    dsn: str, plan: VacuumPlan | None = None, limits: Limits | None = None, step: Step | None = None
) -> list[Treated]:
    results: list[Treated] = []
    plan = plan or plan_for(dsn)
    with opened_run(partial(connect_dsn, dsn), plan, limits or Limits(), step=step) as run:
        run.treat(plan, results)
    return results


def bloat_an_index(database: Database) -> None:
    """Make `public."Big"`, of whose index of more than 100 MB one entry in twenty is left."""
    database.execute('CREATE TABLE "Big" (id int, code text) WITH (autovacuum_enabled = off)')
    database.execute('ALTER TABLE "Big" ALTER COLUMN code SET STORAGE PLAIN')
    database.execute("""INSERT INTO "Big" SELECT i, lpad(i::text, 2000, 'x') FROM generate_series(1, 55000) i""")
    database.execute('CREATE INDEX "Big code" ON "Big" (id, code)')
    database.execute('DELETE FROM "Big" WHERE id % 20 <> 0')
    database.execute("SELECT pg_stat_force_next_flush()")
    database.execute('VACUUM (ANALYZE) "Big"')


def break_an_index(database: Database, name: str, *, columns: str = "a") -> None:
    database.execute("CREATE TABLE IF NOT EXISTS task (a int, b int) WITH (autovacuum_enabled = off)")
    database.execute(f"CREATE INDEX {name} ON task ({columns})")
    database.execute(LEFTOVER.format(name))


def is_valid(database: Database, name: str) -> bool | None:
    rows = database.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", name)
    return rows[0][0] if rows else None


def test_a_bloated_index_is_measured_built_anew_and_smaller(database: Database) -> None:
    database.execute("CREATE EXTENSION pgstattuple")
    bloat_an_index(database)

    plan = plan_for(database.dsn)
    [index] = plan.rebuilds
    assert (index.cause, index.obstacle) == (Cause.BLOATED, None)
    assert index.statement == 'REINDEX INDEX CONCURRENTLY public."Big code"'
    assert index.bloat is not None
    assert index.bloat.unmeasured is None
    assert [one.is_much for one in plan.tables[0].bloat] == [True]

    [result] = treated(database.dsn, plan)
    assert (result.outcome, result.reason) == (Outcome.DONE, None)
    assert result.size_before is not None
    assert result.size_after is not None
    assert result.size_after < result.size_before / 5
    assert plan_for(database.dsn).rebuilds == ()


@ONE_VERSION
def test_an_estimate_is_told_and_not_acted_upon(database: Database) -> None:
    bloat_an_index(database)
    [index] = plan_for(database.dsn).indexes
    assert index.cause is Cause.BLOATED
    assert index.obstacle is not None
    assert "CREATE EXTENSION pgstattuple" in index.obstacle
    assert [result.outcome for result in treated(database.dsn)] == [Outcome.DENIED]


def test_an_invalid_index_is_built_anew(database: Database) -> None:
    break_an_index(database, "task_a_idx")
    [result] = treated(database.dsn)
    assert (result.statement, result.outcome) == ("REINDEX INDEX CONCURRENTLY public.task_a_idx", Outcome.DONE)
    assert is_valid(database, "task_a_idx")


def test_what_a_rebuild_left_behind_is_dropped_where_its_twin_does_the_work(database: Database) -> None:
    database.execute("CREATE TABLE task (a int, b int)")
    database.execute("CREATE INDEX task_a_idx ON task (a)")
    break_an_index(database, "task_a_idx_ccnew")
    break_an_index(database, "task_b_idx_ccnew", columns="b")

    plan = plan_for(database.dsn)
    assert {(index.name, index.cause, index.obstacle is None) for index in plan.rebuilds} == {
        ("public.task_a_idx_ccnew", Cause.LEFTOVER, True),
        ("public.task_b_idx_ccnew", Cause.LEFTOVER, False),
    }
    results = {result.name: result for result in treated(database.dsn, plan)}

    assert results["public.task_a_idx_ccnew"].outcome is Outcome.DONE
    assert results["public.task_a_idx_ccnew"].size_after == 0
    assert is_valid(database, "task_a_idx_ccnew") is None
    assert is_valid(database, "task_a_idx") is True
    assert results["public.task_b_idx_ccnew"].outcome is Outcome.DENIED
    assert is_valid(database, "task_b_idx_ccnew") is False


def test_a_rebuild_that_fails_takes_away_what_it_leaves_behind(database: Database) -> None:
    database.execute("CREATE TABLE task (a int)")
    database.execute("INSERT INTO task VALUES (1), (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute("CREATE UNIQUE INDEX CONCURRENTLY task_key ON task (a)")

    [result] = treated(database.dsn)

    assert result.outcome is Outcome.FAILED
    assert result.reason == 'could not create unique index "task_key_ccnew"'
    assert result.hint == "public.task_key_ccnew, which it had left behind unfinished, was dropped"
    left = database.execute("SELECT relname FROM pg_class WHERE relkind = 'i' AND relname LIKE 'task%%'")
    assert left == [("task_key",)]


@ONE_VERSION
def test_a_rebuild_waits_for_old_transactions_and_is_stopped_by_its_own_limit(database: Database) -> None:
    break_an_index(database, "task_a_idx")
    told: list[str] = []
    with database.connect(autocommit=False) as other:
        other.execute("INSERT INTO task VALUES (1, 1)")
        limits = Limits(lock_s=1, table_s=3)
        [result] = treated(database.dsn, limits=limits, step=lambda what, _done, _total: told.append(what))
        waits = f"waiting for writers before build, now for pid {other.info.backend_pid}"
        assert told[0] == "public.task_a_idx, 1 of 1"
        assert f"public.task_a_idx, 1 of 1: {waits}" in told
        assert (result.outcome, result.reason) == (Outcome.TIMEOUT, "it was stopped after 3 s, the limit for one")
        assert result.leftover == "DROP INDEX CONCURRENTLY public.task_a_idx_ccnew;"
        assert is_valid(database, "task_a_idx") is False


@ONE_VERSION
def test_a_locked_table_is_left_out_before_anything_is_begun(database: Database) -> None:
    break_an_index(database, "task_a_idx")
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE task IN SHARE MODE")
        [result] = treated(database.dsn, limits=Limits(lock_s=1))
        assert result.outcome is Outcome.LOCKED
    assert database.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'task%%ccnew%%'") == [(0,)]


def test_who_may_not_is_told_what_it_takes(database: Database) -> None:
    break_an_index(database, "task_a_idx")
    role = database.create_role("dbops_index_reader", pg_monitor=True)
    [index] = plan_for(database.dsn_for(role)).indexes
    wanted = "GRANT MAINTAIN ON public.task" if database.major >= 17 else "GRANT postgres TO dbops_index_reader"
    assert wanted in (index.obstacle or "")


@ONE_VERSION
def test_an_index_that_has_become_valid_is_not_dropped(database: Database) -> None:
    database.execute("CREATE TABLE task (a int, b int)")
    database.execute("CREATE INDEX task_a_idx ON task (a)")
    break_an_index(database, "task_a_idx_ccnew")
    plan = plan_for(database.dsn)
    database.execute("REINDEX INDEX task_a_idx_ccnew")
    [result] = treated(database.dsn, plan)
    assert result.reason == "it has become valid meanwhile, and was not dropped"
    assert is_valid(database, "task_a_idx_ccnew") is True


@ONE_VERSION
def test_only_one_run_at_a_time_is_at_a_database(database: Database) -> None:
    break_an_index(database, "task_a_idx")
    plan = plan_for(database.dsn)
    with (
        opened_run(partial(connect_dsn, database.dsn), plan, Limits()) as run,
        pytest.raises(MaintenanceBusyError, match=f"pid {run.work.pid}, as postgres"),
        opened_run(partial(connect_dsn, database.dsn), plan, Limits()),
    ):
        pass
    assert [result.outcome for result in treated(database.dsn, plan)] == [Outcome.DONE]


@ONE_VERSION
def test_when_the_time_for_all_is_over_the_rest_is_left(database: Database) -> None:
    break_an_index(database, "task_a_idx")
    break_an_index(database, "task_b_idx", columns="b")
    with database.connect(autocommit=False) as other:
        other.execute("INSERT INTO task VALUES (1, 1)")
        first, second = treated(database.dsn, limits=Limits(lock_s=1, run_s=2))
    assert (first.outcome, second.outcome) == (Outcome.TIMEOUT, Outcome.LEFT)
    assert second.reason == "not begun: the 2 s for all of them were over"
