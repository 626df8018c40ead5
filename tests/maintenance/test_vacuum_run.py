"""Tables treated on real servers, and what comes of each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from dbops.collect.session import ConnectionLostError
from dbops.findings.vacuum_advice import Outcome, Treated
from dbops.maintenance.vacuum_look import look
from dbops.maintenance.vacuum_run import Limits, opened_run
from dbops.sources import connect_dsn
from tests.maintenance.dead_rows import plant

if TYPE_CHECKING:
    from dbops.findings.vacuum_advice import VacuumPlan
    from tests.servers import Database

ONE_VERSION = pytest.mark.parametrize("server", ["pg18"], indirect=True)


def plan_for(dsn: str, **options: Any) -> VacuumPlan:
    with connect_dsn(dsn) as (connection, error):
        return look(connection, error, alias=None, **options)


def treated(dsn: str, limits: Limits, plan: VacuumPlan | None = None, **options: Any) -> list[Treated]:
    results: list[Treated] = []
    plan = plan or plan_for(dsn, **options)
    with opened_run(partial(connect_dsn, dsn), plan, limits) as run:
        run.treat(plan, results)
    return results


def test_dead_rows_go_and_the_table_is_analyzed(database: Database) -> None:
    plant(database, "public.task")
    [result] = treated(database.dsn, Limits())
    assert (result.statement, result.outcome) == ("VACUUM (ANALYZE) public.task", Outcome.DONE)
    assert (result.dead_before, result.dead_after) == (400, 0)
    assert plan_for(database.dsn).due == ()


def test_a_locked_table_is_skipped_and_the_next_one_done(database: Database) -> None:
    plant(database, "public.locked")
    plant(database, "public.free", dead=300)
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE public.locked IN SHARE MODE")
        pid = other.info.backend_pid
        results = treated(database.dsn, Limits(lock_s=1))
    assert [(result.name, result.outcome) for result in results] == [
        ("public.locked", Outcome.LOCKED),
        ("public.free", Outcome.DONE),
    ]
    assert results[0].reason == (f"another session has it locked for more than 1 s: pid {pid}, postgres, in Share mode")


@ONE_VERSION
def test_a_prepared_transaction_or_idle_session_is_named(database: Database) -> None:
    database.execute("CREATE TABLE other (a int)")
    with database.connect(autocommit=False, application_name="report") as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT count(*) FROM other")
        plant(database, "public.task")
        [result] = treated(database.dsn, Limits())
        assert result.outcome is Outcome.HELD
        assert result.reason == (
            f"dead rows stay as long as the session of postgres@report (pid {holder.info.backend_pid}) "
            "may still look at them"
        )
        assert result.dead_after == 400


@ONE_VERSION
def test_what_takes_too_long_is_stopped(database: Database) -> None:
    plant(database, "public.task")
    with database.connect() as other:
        # Each page costs a nap: the limit ends it.
        role = database.create_role("dbops_slow_vacuum")
        other.execute(f"ALTER TABLE public.task OWNER TO {role}")
        other.execute(f"ALTER ROLE {role} SET vacuum_cost_delay = 100")
        other.execute(f"ALTER ROLE {role} SET vacuum_cost_limit = 1")
        [result] = treated(database.dsn_for(role), Limits(table_s=1))
        other.execute("ALTER TABLE public.task OWNER TO postgres")
    assert result.outcome is Outcome.TIMEOUT
    assert result.reason == "it was stopped after 1 s, the limit for one"


@ONE_VERSION
def test_a_table_that_was_dropped_meanwhile_fails_alone(database: Database) -> None:
    plant(database, "public.gone")
    plant(database, "public.task", dead=300)
    plan = plan_for(database.dsn)
    database.execute("DROP TABLE public.gone")
    gone, task = treated(database.dsn, Limits(), plan)
    assert (gone.outcome, task.outcome) == (Outcome.FAILED, Outcome.DONE)
    assert gone.reason == 'relation "public.gone" does not exist'


@ONE_VERSION
def test_rights_lost_since_the_look_are_noticed_though_the_server_only_warns(database: Database) -> None:
    plant(database, "public.task")
    plan = plan_for(database.dsn)
    role = database.create_role("dbops_no_vacuum")
    [result] = treated(database.dsn_for(role), Limits(), plan)
    assert result.outcome is Outcome.FAILED
    assert result.reason == "the server left it out: it was dropped, or this role may not do it"


@ONE_VERSION
def test_a_lost_connection_ends_the_run(database: Database) -> None:
    plant(database, "public.task")
    plan = plan_for(database.dsn)
    results: list[Treated] = []
    with opened_run(partial(connect_dsn, database.dsn), plan, Limits()) as run:
        database.execute("SELECT pg_terminate_backend(%s)", run.work.pid)
        with pytest.raises(ConnectionLostError):
            run.treat(plan, results)
    assert [result.outcome for result in results] == [Outcome.FAILED]
