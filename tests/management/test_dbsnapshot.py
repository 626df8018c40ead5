"""`manage.py dbsnapshot` on real databases: what it keeps, how often, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import load_command_class
from django.db import ProgrammingError, connection
from django.test import override_settings

from dbops.counters.store import points, texts
from dbops.counters.windows import MADE_FROM_HISTORY, with_history
from dbops.diagnose import diagnose_alias
from dbops.errors import DbopsError
from dbops.history import looks, recorder
from dbops.models import Counters, Look, Statement
from tests.looking import snapshot_of
from tests.windows import flush

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.management.conftest import Ended, Runner
    from tests.servers import Database

# A command closes all connections when it ends, and a transaction that waits around the test with them.
pytestmark = pytest.mark.django_db(transaction=True)
PROJECT = Path(__file__).parents[2]
ONE_VERSION = pytest.mark.parametrize("server", ["pg18"], indirect=True)


@pytest.fixture
def dbsnapshot(dbanalyze: Runner) -> Callable[..., Ended]:
    return lambda *arguments: dbanalyze.command(load_command_class("dbops", "dbsnapshot"), *arguments)


def test_what_happens_between_two_rounds_is_seen_by_a_look(
    database: Database, shop: str, dbsnapshot: Callable[..., Ended]
) -> None:
    database.execute("""
        CREATE EXTENSION pg_stat_statements;
        CREATE TABLE task (id int PRIMARY KEY, done bool NOT NULL);
    """)
    first = dbsnapshot("--database", shop, "--look-every", "0")
    assert (first.code, first.err) == (0, "")
    assert first.out.startswith("shop: 1 table, 1 index, ")
    database.execute("INSERT INTO task SELECT n, false FROM generate_series(1, 30) AS n")
    for _ in range(4):
        database.execute("UPDATE task SET done = true WHERE id = 3")
    flush(database)
    assert dbsnapshot("--database", shop, "--look-every", "0").code == 0

    snapshot = with_history(snapshot_of(database), [])
    (begin, end) = points(shop, since=snapshot.taken_at - timedelta(hours=1))
    assert begin.epoch == end.epoch
    assert begin.statement_epoch == end.statement_epoch is not None
    counted = [point.load(["table_statistics"])["table_statistics"][0] for point in (begin, end)]  # type: ignore[index]
    assert [row.inserts for row in counted] == [0, 30]
    assert [row.updates for row in counted] == [0, 4]
    kept = {text.text for text in texts(shop)}
    assert {"UPDATE task SET done = $1 WHERE id = $2"} <= kept
    report = diagnose_alias(shop)
    assert report.target.window is not None
    assert report.target.window[0] == begin.taken_at
    assert report.target.window[2] == "history"


def test_it_keeps_what_a_role_with_pg_monitor_sees(
    database: Database, make_alias: Callable[[str, str], str], dbsnapshot: Callable[..., Ended]
) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements; CREATE TABLE task (id serial PRIMARY KEY)")
    role = database.create_role(f"{database.name}_monitor", pg_monitor=True)
    alias = make_alias("watched", database.dsn_for(role))
    ended = dbsnapshot("--database", alias, "-v", "2")
    assert ended.code == 0, ended.err
    assert "not kept:" in ended.out or "1 table" in ended.out
    (point,) = points(alias, since=Counters.objects.get().taken_at)
    assert point.epoch is not None
    assert point.epoch.system is not None
    assert len(point.load(["statement_counters"])["statement_counters"]) > 0  # type: ignore[arg-type]


@ONE_VERSION
def test_a_whole_look_is_taken_when_the_last_is_old(
    database: Database, shop: str, dbsnapshot: Callable[..., Ended]
) -> None:
    assert "a whole look" in dbsnapshot("--database", shop).out
    assert "a whole look" not in dbsnapshot("--database", shop).out
    assert [(look.alias, look.status) for look in Look.objects.all()] == [("shop", "done")]


@ONE_VERSION
def test_texts_are_kept_once_and_without_data(database: Database, shop: str, dbsnapshot: Callable[..., Ended]) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements")
    role = database.create_role(f"{database.name}_secret")
    database.execute(f"ALTER ROLE {role} PASSWORD 'hunter2'")
    for _ in range(2):
        dbsnapshot("--database", shop, "--look-every", "0")
    assert not Statement.objects.filter(text__contains="hunter2").exists()
    assert Statement.objects.filter(text__startswith="ALTER ROLE").count() == 1
    for (data,) in Counters.objects.values_list("data"):
        assert b"hunter2" not in bytes(data)


def test_bad_options_are_refused_and_nothing_is_kept(dbsnapshot: Callable[..., Ended]) -> None:
    for arguments, said in (
        (["--database", "nowhere"], "DATABASES has no alias 'nowhere'"),
        (["--loop", "1"], "--loop 1 is too often"),
        (["--look-every", "-1"], "--look-every cannot be negative"),
    ):
        ended = dbsnapshot(*arguments)
        assert ended.code == 2
        assert said in ended.err
    assert not Counters.objects.exists()


def test_a_database_that_cannot_be_reached_does_not_keep_the_others_from_being_kept(
    make_alias: Callable[[str, str], str], dbsnapshot: Callable[..., Ended]
) -> None:
    make_alias("gone", "host=127.0.0.1 port=9 dbname=gone user=nobody")
    ended = dbsnapshot("--database", "gone", "--database", "default", "--look-every", "0")
    assert ended.code == 2
    assert ended.err.startswith("dbsnapshot: ")
    assert ended.out.startswith("default: ")
    assert set(Counters.objects.values_list("alias", flat=True)) == {"default"}


def test_without_its_tables_it_says_how_to_make_them(
    dbsnapshot: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ProgrammingError('relation "dbops_counters" does not exist')

    monkeypatch.setattr(recorder, "record", fail)
    ended = dbsnapshot()
    assert ended.code == 2
    assert "HINT: manage.py migrate" in ended.err


def test_two_loops_do_not_keep_everything_twice(
    dbsnapshot: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one has just been here: this one waits for its next round."""
    dbsnapshot("--database", "default", "--look-every", "0")
    timer = threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGTERM])
    timer.start()
    before = signal.getsignal(signal.SIGTERM)
    ended = dbsnapshot("--database", "default", "--look-every", "0", "--loop", "60")
    timer.join()
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert Counters.objects.count() == 1
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_loop_runs_until_it_is_stopped(stop: signal.Signals) -> None:
    settings = connection.settings_dict
    url = f"postgresql://{settings['USER']}@/{settings['NAME']}?host={settings['HOST']}&port={settings['PORT'] or 5432}"
    arguments = (sys.executable, "manage.py", "dbsnapshot", "--loop", "10", "--look-every", "0")
    environment = {**os.environ, "DEBUG": "1", "DATABASE_URL": url, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(arguments, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        started = time.monotonic()
        running.send_signal(stop)
        rest = running.stdout.read()
    assert first.startswith("default: ")
    assert (running.returncode, rest) == (0, "")
    assert time.monotonic() - started < 9
    assert Counters.objects.filter(alias="default").count() == 1


def test_all_that_a_history_is_made_of_is_kept() -> None:
    from dbops.counters.packing import KEPT

    needed = {name for needs in MADE_FROM_HISTORY.values() for name in needs}
    assert needed - {"statement_texts", "sessions"} <= set(KEPT)


@override_settings(DBOPS={"ENABLED": False})
def test_switched_off_it_keeps_nothing_and_says_so(
    dbsnapshot: Callable[..., Ended],
) -> None:
    ended = dbsnapshot()
    assert (ended.code, ended.out) == (0, "")
    assert 'DBOPS["ENABLED"] is False' in ended.err
    timer = threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGTERM])
    timer.start()
    assert dbsnapshot("--loop", "60").code == 0
    timer.join()
    assert not Counters.objects.exists()


@ONE_VERSION
def test_a_look_that_came_to_nothing_is_no_whole_look(
    database: Database, shop: str, dbsnapshot: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DbopsError("gone meanwhile")

    monkeypatch.setattr(looks, "diagnose_alias", fail)
    ended = dbsnapshot("--database", shop)
    assert ended.code == 2
    assert "a whole look" not in ended.out
    assert "the look at shop came to nothing: gone meanwhile" in ended.err
    assert Counters.objects.count() == 1
