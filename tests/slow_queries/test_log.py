"""What the slow-query log says of statements, and what it never says."""

from __future__ import annotations

import json
import logging
import threading
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from django.db.models import Q, Value
from psycopg import sql

from config.logs import JsonFormatter
from dbops.models import Look
from dbops.slow_queries.log import PER_MINUTE, Limit, SlowQueryLog, unwatched
from dbops.snapshot.statement_text import OWN, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

pytestmark = pytest.mark.django_db(transaction=True)
ALWAYS_MS, NEVER_MS = 0.000_001, 1e9
SECRET = "hunter2"

Kept = list[tuple[str, str, datetime, float | None]]


@pytest.fixture
def kept() -> Kept:
    return []


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, kept: Kept) -> Callable[..., SlowQueryLog]:
    """Puts a log with a threshold of the test's own in the place of the installed one."""

    def watch(threshold_ms: float = ALWAYS_MS) -> SlowQueryLog:
        log = SlowQueryLog(threshold_ms, lambda *one: kept.append(one))
        connection.ensure_connection()
        monkeypatch.setattr(connections["default"], "execute_wrappers", [log])
        return log

    return watch


def records(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record for record in caplog.records if record.name == "dbops.slow_query"]


def only(caplog: pytest.LogCaptureFixture) -> Any:
    (record,) = records(caplog)
    return record


def execute(statement: Any, parameters: Any = None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.urls("tests.slow_queries.views")
def test_a_page_that_waits_for_the_database_is_logged_by_the_installed_app(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.get("/wait/", {"seconds": "0.12", "secret": SECRET})
    (record,) = (each for each in records(caplog) if "pg_sleep" in each.getMessage())
    assert record.levelno == logging.WARNING
    assert record.duration_ms >= 120
    assert record.statement == "SELECT pg_sleep(%s), '…', %s"
    assert record.getMessage() == f"default {record.duration_ms:.1f} ms: {record.statement}"
    assert SECRET not in str(vars(record))


def test_a_record_says_what_a_program_wants_to_know(
    caplog: pytest.LogCaptureFixture, watched: Callable[..., SlowQueryLog], kept: Kept
) -> None:
    watched()
    execute("SELECT n FROM generate_series(1, %s) AS n WHERE n <> 7", [9])
    record = only(caplog)
    assert (record.alias, record.rows, record.many, record.sqlstate, record.left_out) == ("default", 8, False, None, 0)
    assert record.fingerprint == fingerprint("select n from generate_series($1, $2) as n where n <> $3")
    assert kept == [("default", record.fingerprint, kept[0][2], kept[0][3])]
    assert kept[0][3] is not None
    assert round(kept[0][3], 1) == record.duration_ms
    shown = json.loads(JsonFormatter().format(record))
    assert {name: shown[name] for name in ("logger", "level", "alias", "rows", "statement")} == {
        "logger": "dbops.slow_query",
        "level": "WARNING",
        "alias": "default",
        "rows": 8,
        "statement": "SELECT n FROM generate_series(?, %s) AS n WHERE n <> ?",
    }


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        (f"SELECT '{SECRET}', 4711, $${SECRET}$$, E'\\'{SECRET}' -- {SECRET}", None),
        (f"SELECT /* {SECRET} */ %s::text, %s::int, 4711", [SECRET, 4711]),
        ("SELECT %(a)s::text", {"a": SECRET}),
        (sql.SQL("SELECT {}, {} AS {}").format(SECRET, 4711, sql.Identifier("n")), None),
        (f"SELECT '{SECRET}'".encode(), None),
        (f"DO $do$ BEGIN PERFORM '{SECRET}', 4711; END $do$", None),
        (f"CREATE ROLE dbops_test_logged PASSWORD '{SECRET}' CONNECTION LIMIT 4711 NOLOGIN", None),
        (f"SELECT '{'x' * 30_000}{SECRET}', 4711", None),
        (f"SELECT '{SECRET}', " + ", ".join(["4711"] * 900), None),
    ],
)
def test_neither_a_parameter_nor_a_literal_is_ever_logged(
    statement: Any,
    parameters: Any,
    caplog: pytest.LogCaptureFixture,
    watched: Callable[..., SlowQueryLog],
) -> None:
    watched()
    with transaction.atomic():
        try:
            with transaction.atomic():
                execute(statement, parameters)
        except DatabaseError:
            pass  # the role may not make others: what failed is logged as well
        transaction.set_rollback(True)
    found = [record for record in records(caplog) if "SAVEPOINT" not in record.statement]
    assert len(found) == 1
    text = found[0].getMessage() + str(vars(found[0]))
    assert SECRET not in text
    assert "4711" not in text
    assert len(found[0].statement) <= 2_001


def test_what_the_orm_sends_is_logged_without_its_values(
    caplog: pytest.LogCaptureFixture, watched: Callable[..., SlowQueryLog]
) -> None:
    watched()
    list(
        ContentType.objects.annotate(a=Value(SECRET), b=Value(date(2026, 3, 1)))
        .filter(Q(model=SECRET) | Q(pk__in=[4711, 4712]), app_label__startswith=SECRET)
        .order_by("pk")[:4713]
    )
    text = only(caplog).getMessage() + str(vars(only(caplog)))
    for value in (SECRET, "4711", "4713", "2026-03-01"):
        assert value not in text
    assert '"django_content_type"."app_label"' in only(caplog).statement


def test_what_is_quick_is_not_logged(caplog: pytest.LogCaptureFixture, watched: Callable[..., SlowQueryLog]) -> None:
    watched(NEVER_MS)
    execute("SELECT 1")
    with pytest.raises(DatabaseError):
        execute("SELECT 1 / 0")
    assert records(caplog) == []


def test_a_statement_that_fails_is_logged_with_its_time_and_sqlstate_and_not_counted(
    caplog: pytest.LogCaptureFixture, watched: Callable[..., SlowQueryLog], kept: Kept
) -> None:
    """The server counts no execution that failed, so that none is to be counted here."""
    watched(40)
    with transaction.atomic():
        execute("SET LOCAL statement_timeout = 50")
        caplog.clear()
        with pytest.raises(OperationalError):
            execute("SELECT pg_sleep(60)")
        transaction.set_rollback(True)
    record = only(caplog)
    assert (record.sqlstate, record.rows) == ("57014", None)
    assert record.duration_ms >= 50
    assert record.getMessage() == f"default failed with 57014 after {record.duration_ms:.1f} ms: SELECT pg_sleep(?)"
    assert [one for one in kept if one[1] == record.fingerprint] == []


def test_an_error_that_is_none_of_the_servers_is_named_and_passed_on(
    caplog: pytest.LogCaptureFixture, watched: Callable[..., SlowQueryLog]
) -> None:
    log = watched()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), connection.cursor() as cursor:
        log(interrupted, "SELECT 1", None, False, {"connection": connection, "cursor": cursor})
    assert "failed with KeyboardInterrupt after" in only(caplog).getMessage()


def test_many_at_once_are_one_line_and_no_duration_of_each(
    caplog: pytest.LogCaptureFixture, watched: Callable[..., SlowQueryLog], kept: Kept
) -> None:
    watched()
    with connection.cursor() as cursor:
        cursor.executemany("SELECT %s::int", [[1], [2]])
    assert only(caplog).many is True
    assert [one[3] for one in kept] == [None]


def test_a_server_side_cursor_is_logged_and_not_counted(
    caplog: pytest.LogCaptureFixture, watched: Callable[..., SlowQueryLog], kept: Kept
) -> None:
    """The server counts DECLARE and FETCH, which nobody here executes."""
    watched()
    with transaction.atomic():
        assert len(list(ContentType.objects.order_by("pk").iterator(chunk_size=2))) > 2
    assert only(caplog).statement.startswith("SELECT")
    assert kept == []


def test_our_own_statements_are_not_logged(
    caplog: pytest.LogCaptureFixture, watched: Callable[..., SlowQueryLog], kept: Kept
) -> None:
    watched()
    Look.objects.count()
    execute(f"SELECT 1\n{OWN}")
    with unwatched():
        execute("SELECT 2")
    assert (records(caplog), kept) == ([], [])
    execute("SELECT 3")
    assert len(records(caplog)) == 1


def test_a_handler_that_writes_to_the_database_does_not_log_itself_for_ever(
    watched: Callable[..., SlowQueryLog],
) -> None:
    written: list[str] = []

    class ToTheDatabase(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            execute("SELECT 'a line of a log'")
            written.append(record.getMessage())

    watched()
    handler = ToTheDatabase()
    logging.getLogger("dbops.slow_query").addHandler(handler)
    try:
        execute("SELECT 1")
        execute("SELECT 1, 2")
    finally:
        logging.getLogger("dbops.slow_query").removeHandler(handler)
    assert len(written) == 2


def test_the_same_statement_floods_no_log(
    caplog: pytest.LogCaptureFixture, watched: Callable[..., SlowQueryLog], kept: Kept
) -> None:
    watched()
    for number in range(PER_MINUTE + 5):
        execute(f"SELECT {number}")
    execute("SELECT 1, 'other' AS b")
    assert len(records(caplog)) == PER_MINUTE + 1
    assert len(kept) == PER_MINUTE + 6


def test_how_many_were_left_out_is_said_in_the_next_line(
    caplog: pytest.LogCaptureFixture, watched: Callable[..., SlowQueryLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = watched()
    now = [1000.0]
    inner = Limit(per_minute=1)
    monkeypatch.setattr(log._limit, "admit", lambda key, _now: inner.admit(key, now[0]))
    for at_s in (1000.0, 1001.0, 1002.0, 1060.0, 1061.0):
        now[0] = at_s
        execute("SELECT 1")
    assert [record.left_out for record in records(caplog)] == [0, 2]
    assert records(caplog)[1].getMessage().endswith("SELECT ? (2 more like it were not logged)")


def test_a_limit_is_for_each_and_has_room_for_so_many() -> None:
    limit = Limit(per_minute=2)
    assert [limit.admit("a", 0) for _ in range(4)] == [0, 0, None, None]
    assert limit.admit("b", 0) == 0
    assert limit.admit("a", 59.9) is None
    assert [limit.admit("a", 60), limit.admit("a", 61)] == [3, 0]
    for number in range(2_000):
        limit.admit(str(number), 62)
    assert len(limit._seen) == 1_000


def test_every_thread_is_watched_by_the_installed_app(caplog: pytest.LogCaptureFixture) -> None:
    def run(number: int) -> None:
        try:
            execute(f"SELECT pg_sleep(0.12), 'thread' AS t{number}")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {f"t{number}" for number in range(4)} <= {record.statement.split()[-1] for record in records(caplog)}


def test_asynchronous_code_is_watched_too(
    caplog: pytest.LogCaptureFixture, watched: Callable[..., SlowQueryLog]
) -> None:
    watched()

    async def ask() -> int:
        return await ContentType.objects.acount()

    assert async_to_sync(ask)() > 0
    assert only(caplog).statement == 'SELECT COUNT(*) AS "__count" FROM "django_content_type"'
