"""Whole processes on either driver: what they log, what they leave behind, and when they leave nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dbops.slow_queries.store import unpack
from dbops.snapshot.statement_text import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import Database

    Run = Callable[..., subprocess.CompletedProcess[str]]

PROJECT = Path(__file__).parent.parent.parent
MIGRATE = "from django.core.management import call_command; call_command('migrate', verbosity=0)"
SLEEP = """
from django.db import connection
connection.cursor().execute("SELECT pg_sleep(%s), 'hunter2', %s", [0.12, "hunter2"])
"""
SERVE = """
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory
request = RequestFactory().get("/wait/", {"seconds": SECONDS, "secret": "hunter2"})
body = WSGIHandler()(request.environ, lambda *_: None)
body.close()
"""
SLEEP_PRINT = fingerprint("SELECT pg_sleep(%s), 'x', %s")


@pytest.fixture(params=["psycopg", "psycopg2"])
def run(request: pytest.FixtureRequest, database: Database) -> Run:
    """Runs Python in a project of its own on the test's database."""
    pytest.importorskip(request.param)
    place = database.server.cluster

    def run(code: str, *, migrated: bool = True, **setting: Any) -> subprocess.CompletedProcess[str]:
        if migrated:
            assert run(MIGRATE, migrated=False, ENABLED=False).returncode == 0
        argv = [sys.executable, "-m", "tests.slow_queries.project", code, request.param, database.name]
        return subprocess.run(
            [*argv, str(place.socket_dir), "5432"],
            cwd=PROJECT,
            env={**os.environ, "DBOPS": json.dumps(setting)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def logged(ended: subprocess.CompletedProcess[str]) -> list[str]:
    assert ended.returncode == 0, ended.stderr
    return [line for line in ended.stderr.splitlines() if line.startswith("WARNING dbops.slow_query: ")]


def kept(database: Database) -> dict[str, int]:
    """How many executions were kept by fingerprint, with how many rows."""
    found: dict[str, int] = {}
    for (data,) in database.execute("SELECT data FROM dbops_slowqueries"):
        for name, durations in unpack(data).items():
            found[name] = found.get(name, 0) + durations.count
    return found


def processes(database: Database) -> list[tuple[Any, ...]]:
    return database.execute("SELECT alias, has_ended, dropped FROM dbops_slowqueryprocess ORDER BY id")


def test_a_process_leaves_behind_what_was_slow(run: Run, database: Database) -> None:
    ended = run(SLEEP)
    (line,) = (line for line in logged(ended) if "pg_sleep" in line)
    assert re.fullmatch(r"WARNING dbops\.slow_query: default \d+\.\d ms: SELECT pg_sleep\(%s\), '…', %s", line)
    assert "hunter2" not in ended.stderr + ended.stdout
    assert kept(database)[SLEEP_PRINT] == 1
    assert processes(database) == [("default", True, 0)]


def test_a_process_in_which_nothing_was_slow_leaves_nothing_behind(run: Run, database: Database) -> None:
    ended = run("from django.db import connection; connection.cursor().execute('SELECT 1')", SLOW_QUERY_MS=60_000)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (kept(database), processes(database)) == ({}, [])


def test_a_process_that_serves_says_that_it_was_there(run: Run, database: Database) -> None:
    """The first heartbeat comes after a minute; here the process does not wait for it."""
    beat = """
import threading
writer = next(one for one in threading.enumerate() if one.name == "dbops-slow-queries")._target.__self__
beating = threading.Thread(target=writer.flush)
beating.start()
beating.join()
"""
    ended = run(SERVE.replace("SECONDS", "0") + beat, SLOW_QUERY_MS=60_000)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (kept(database), processes(database)) == ({}, [("default", True, 0)])


def test_a_request_that_was_slow_is_kept(run: Run, database: Database) -> None:
    ended = run(SERVE.replace("SECONDS", "0.12"))
    assert [line for line in logged(ended) if "pg_sleep" in line]
    assert "hunter2" not in ended.stderr + ended.stdout
    assert kept(database)[SLEEP_PRINT] == 1


def test_switched_off_it_logs_and_keeps_nothing(run: Run, database: Database) -> None:
    ended = run(SLEEP, ENABLED=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (kept(database), processes(database)) == ({}, [])


def test_a_database_that_dbops_does_not_look_at_is_not_watched(run: Run, database: Database) -> None:
    other = "from django.db import connections; connections.settings['replica'] = connections.settings['default']"
    ended = run(other + SLEEP, DATABASES=["replica"])
    assert (ended.returncode, ended.stderr) == (0, "")
    assert kept(database) == {}


def test_where_the_tables_are_missing_the_log_goes_on(run: Run, database: Database) -> None:
    ended = run(SLEEP, migrated=False)
    assert [line for line in logged(ended) if "pg_sleep" in line]
    told = [line for line in ended.stderr.splitlines() if not line.startswith("WARNING dbops.slow_query: ")]
    assert told == [
        "WARNING dbops.slow_queries: slow queries are logged and not kept: manage.py migrate makes the tables for them"
    ]


def test_a_child_of_the_process_begins_anew(run: Run, database: Database) -> None:
    """What the parent has seen is written by the parent alone, and the child has a thread of its own."""
    fork = """
import os, sys, threading
connection.close()
child = os.fork()
if child == 0:
    assert not [one for one in threading.enumerate() if one.name == "dbops-slow-queries"]
    connection.cursor().execute("SELECT pg_sleep(0.12), 'child' AS c")
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    assert len([line for line in logged(run(SLEEP + fork)) if "pg_sleep" in line]) == 2
    found = kept(database)
    assert (found[SLEEP_PRINT], found[fingerprint("SELECT pg_sleep(1), 'x' AS c")]) == (1, 1)
    assert processes(database) == [("default", True, 0)] * 2


def test_one_of_our_own_commands_is_not_watched(run: Run, database: Database) -> None:
    command = """
from dbops.management.command import DbopsCommand, Exit
class Command(DbopsCommand):
    def run(self, **options):
        connection.cursor().execute("SELECT pg_sleep(0.12), 'command'")
        return Exit.FINE
Command().run_from_argv(["manage.py", "dbwait"])
"""
    ended = run("from django.db import connection" + command)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert kept(database) == {}


def test_the_p95_of_a_statement_is_the_one_that_it_had(run: Run, database: Database) -> None:
    """Of 40 executions three are slow, so that the third longest is the 95th percentile: the quickest of the three.

    To the server it is two statements, for 0 is an integer and 0.3 is not.
    """
    work = """
from django.db import connection
cursor = connection.cursor()
cursor.execute("CREATE EXTENSION pg_stat_statements")
for seconds in [0.3, 0.9, 0.6] + [0] * 37:
    cursor.execute("SELECT pg_sleep(%s) AS waited", [seconds])
"""
    assert run(work, SLOW_QUERY_MS=250).returncode == 0
    read = """
import json
from datetime import timedelta
from django.db import connection
from django.utils import timezone
from dbops.slow_queries.store import slow_durations
from dbops.snapshot.statement_text import fingerprint
cursor = connection.cursor()
cursor.execute(
    "SELECT s.query, s.calls, s.total_exec_time FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid "
    "WHERE s.query LIKE '% AS waited' AND d.datname = current_database()"
)
rows = cursor.fetchall()
(text,) = {text for text, _, _ in rows}
calls, total_ms = sum(row[1] for row in rows), sum(row[2] for row in rows)
now = timezone.now()
found = slow_durations("default", now - timedelta(minutes=3), now + timedelta(minutes=1))
p95 = found.p95(fingerprint(text), calls, total_ms=total_ms)
print(json.dumps([text, calls, found.inside[fingerprint(text)].count, p95.middle_ms]))
"""
    ended = run(read, migrated=False)
    assert ended.returncode == 0, ended.stderr
    text, calls, slow, p95_ms = json.loads(ended.stdout)
    assert text == "SELECT pg_sleep($1) AS waited"
    assert calls == 40
    assert slow >= 3
    assert p95_ms >= 300 * 0.95
