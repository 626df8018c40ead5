"""`manage.py dbmaintain` from its options to what it did, on real servers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import load_command_class

from dbops.counters.store import last_taken_at
from dbops.findings.maintenance import Routine
from dbops.maintenance.routine_run import STEPS
from dbops.maintenance.vacuum_look import look
from dbops.maintenance.vacuum_run import Limits, opened_run
from dbops.sources import connect_dsn
from tests.maintenance.dead_rows import plant
from tests.render.schemas import valid

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.management.conftest import Ended, Runner
    from tests.servers import Database

    Run = Callable[..., Ended]

ONE_VERSION = pytest.mark.parametrize("server", ["pg18"], indirect=True)


@pytest.fixture
def dbmaintain(dbanalyze: Runner) -> Run:
    def run(*arguments: object, stdin: str = "") -> Ended:
        return dbanalyze.command(load_command_class("dbops", "dbmaintain"), *arguments, stdin=stdin)

    return run


def dead_rows(database: Database, table: str) -> int:
    [(count,)] = database.execute("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = %s", table)
    return int(count)


def steps(ended: Ended) -> dict[str, Any]:
    [found] = valid("dbmaintain", ended.out)["rounds"]
    return {step["name"]: step for step in found["steps"]}


@pytest.mark.parametrize("routine", list(Routine))
def test_every_step_is_taken_and_nothing_is_changed(database: Database, dbmaintain: Run, routine: Routine) -> None:
    plant(database, "public.task")

    ended = dbmaintain(routine, "--dsn", database.dsn, "--format", "json")

    assert (ended.code, ended.err) == (0, "")
    found = steps(ended)
    assert tuple(found) == STEPS[routine]
    assert (found["vacuum"]["state"], found["vacuum"]["note"]) == ("to do", "1 table to work at")
    assert found["vacuum"]["results"] is None
    assert found["alarms"]["state"] == "done"
    assert dead_rows(database, "task") == 400


def test_the_text_says_what_there_is_to_do(database: Database, dbmaintain: Run) -> None:
    plant(database, 'public."Mixed Case"')

    out = dbmaintain("weekly", "--dsn", database.dsn).out

    assert out.startswith(f"{database.name} · weekly · ")
    assert "vacuum     to do   1 table to work at\n" in out
    assert '    VACUUM (ANALYZE) public."Mixed Case";\n' in out
    assert "counters   skipped no history is kept of a database that is given by its DSN" in out
    assert 'public."Mixed Case"  ' in out[out.index("sizes") :]
    assert out.endswith("to do it: manage.py dbmaintain weekly --apply\n")


def test_with_apply_it_is_done(database: Database, dbmaintain: Run) -> None:
    plant(database, "public.task")

    ended = dbmaintain("daily", "--dsn", database.dsn, "--apply", "--yes")

    assert (ended.code, ended.err) == (0, "")
    assert "vacuum     done    1 of 1 table" in ended.out
    assert "VACUUM (ANALYZE) public.task · dead rows 400 → 0" in ended.out
    assert dead_rows(database, "task") == 0
    assert "nothing is due" in dbmaintain("daily", "--dsn", database.dsn, "--apply").out


def test_an_invalid_index_is_built_anew_monthly_alone(database: Database, dbmaintain: Run) -> None:
    database.execute("CREATE TABLE task (a int)")
    database.execute("CREATE INDEX task_a ON task (a)")
    database.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'task_a'::regclass")
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'task_a'::regclass"

    weekly = dbmaintain("weekly", "--dsn", database.dsn, "--apply", "--yes")
    assert database.execute(valid) == [(False,)]
    assert "invalid_index" in weekly.out

    monthly = dbmaintain("monthly", "--dsn", database.dsn, "--apply", "--yes", "--format", "json")
    assert monthly.code == 0
    [result] = steps(monthly)["reindex"]["results"]
    assert (result["target"], result["outcome"]) == ("public.task_a", "done")
    assert database.execute(valid) == [(True,)]


@ONE_VERSION
def test_whoever_comes_second_ends_with_5_and_still_reports(database: Database, dbmaintain: Run) -> None:
    plant(database, "public.task")
    with connect_dsn(database.dsn) as (connection, error):
        plan = look(connection, error, alias=None)
    with opened_run(partial(connect_dsn, database.dsn), plan, Limits()):
        ended = dbmaintain("daily", "--dsn", database.dsn, "--apply", "--yes", "--format", "json")
    assert ended.code == 5
    found = steps(ended)
    assert found["vacuum"]["state"] == "skipped"
    assert "another run of dbvacuum or dbmaintain is at work" in found["vacuum"]["note"]
    assert found["alarms"]["report"] is not None
    assert dead_rows(database, "task") == 400


@ONE_VERSION
def test_a_step_that_fails_hides_no_other(database: Database, dbmaintain: Run) -> None:
    plant(database, "public.task")
    plant(database, "public.locked", dead=500)
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE public.locked IN SHARE MODE")
        ended = dbmaintain("daily", "--dsn", database.dsn, "--apply", "--yes", "--lock-timeout", 1)
    assert ended.code == 4
    assert "vacuum     done    1 of 2 tables" in ended.out
    assert "skipped   VACUUM (ANALYZE) public.locked" in ended.out
    assert "alarms     done" in ended.out


@ONE_VERSION
def test_something_critical_ends_with_1(database: Database, dbmaintain: Run) -> None:
    database.execute("CREATE SEQUENCE nearly AS smallint")
    database.execute("CREATE TABLE task (id smallint DEFAULT nextval('nearly') PRIMARY KEY)")
    database.execute("ALTER SEQUENCE nearly OWNED BY task.id")
    database.execute("SELECT setval('nearly', 32000)")

    ended = dbmaintain("daily", "--dsn", database.dsn)

    assert ended.code == 1
    assert "alarms     done    1 critical finding" in ended.out
    assert "exhausted_sequence" in ended.out
    assert dbmaintain("daily", "--dsn", database.dsn, "--fail-on", "never").code == 0


@ONE_VERSION
def test_the_plan_alone_writes_nothing_and_nobody_to_ask_ends_with_2(database: Database, dbmaintain: Run) -> None:
    plant(database, "public.task")
    plan = dbmaintain("daily", "--dsn", database.dsn, "--apply", "--plan")
    unasked = dbmaintain("daily", "--dsn", database.dsn, "--apply")
    assert (plan.code, unasked.code) == (0, 2)
    assert "VACUUM (ANALYZE) public.task;" in plan.out
    assert "nobody can be asked" in unasked.err
    assert dead_rows(database, "task") == 400


@ONE_VERSION
def test_a_server_that_is_not_there_ends_with_2(dbmaintain: Run, database: Database) -> None:
    ended = dbmaintain("daily", "--dsn", "postgresql://me@127.0.0.1:1/shop", "--format", "json")
    assert ended.code == 2
    assert {step["state"] for step in steps(ended).values()} == {"failed", "skipped"}


@ONE_VERSION
@pytest.mark.django_db(transaction=True)  # a command closes all connections when it ends
def test_of_an_alias_the_counters_are_kept(database: Database, shop: str, dbmaintain: Run) -> None:
    before = steps(dbmaintain("daily", "--database", shop, "--format", "json"))
    assert before["counters"]["state"] == "to do"
    assert before["counters"]["note"].startswith("none are kept yet: manage.py dbsnapshot")

    done = steps(dbmaintain("daily", "--database", shop, "--apply", "--yes", "--format", "json"))
    assert done["counters"]["state"] == "done"
    assert last_taken_at(shop) is not None
    again = steps(dbmaintain("weekly", "--database", shop, "--format", "json"))
    assert again["counters"]["note"].startswith("last kept ")
    assert again["sizes"]["sizes"]["unseen"].startswith("less than a day of it is known")
