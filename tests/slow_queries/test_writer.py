"""What was slow gets into the database: on a connection of its own, later, and whatever happens without any harm."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from dbops.models import SlowQueries, SlowQueryProcess
from dbops.slow_queries.store import slow_durations
from dbops.slow_queries.writer import Writer
from dbops.sources import APPLICATION_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db(transaction=True)
FINGERPRINT = "0123456789abcdef"


@pytest.fixture
def writer() -> Iterator[Writer]:
    made = Writer(("default",), 100.0)
    made.begin()
    yield made
    made.buffer.take()


def flush(writer: Writer, **options: Any) -> None:
    """As the writer's own thread does."""
    thread = threading.Thread(target=writer.flush, kwargs=options)
    thread.start()
    thread.join()


def fill(writer: Writer, *durations_ms: float | None) -> None:
    for duration_ms in durations_ms:
        writer.keep("default", FINGERPRINT, timezone.now(), duration_ms)


def seen() -> Any:
    now = timezone.now()
    return slow_durations("default", now - timedelta(hours=1), now + timedelta(hours=1)).inside


@contextmanager
def renamed(what: str, back: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(what)
        try:
            yield
        finally:
            cursor.execute(back)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "dbops.slow_queries"]


def test_what_was_slow_is_written_and_that_nothing_else_was(writer: Writer) -> None:
    before = timezone.now()
    fill(writer, 120.0, 130.0, None)
    flush(writer)
    assert (seen()[FINGERPRINT].count, seen()[FINGERPRINT].unmeasured) == (3, 1)
    run = SlowQueryProcess.objects.get()
    assert (run.alias, run.threshold_ms, run.has_ended, run.dropped) == ("default", 100.0, False, 0)
    assert run.began_at <= before <= run.seen_at
    flush(writer, has_ended=True)
    again = SlowQueryProcess.objects.get()
    assert (again.pk, again.has_ended, again.seen_at > run.seen_at) == (run.pk, True, True)
    assert SlowQueries.objects.count() == 1


def test_it_is_written_beside_whatever_transaction_the_application_is_in(writer: Writer) -> None:
    with transaction.atomic():
        fill(writer, 120.0)
        flush(writer)
        transaction.set_rollback(True)
    assert seen()[FINGERPRINT].count == 1


def test_its_connection_is_out_of_no_pool_says_whose_it_is_and_is_not_kept(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    apart = type(connections["default"])
    connect = apart.connect

    def listen(self: Any) -> None:
        connect(self)
        made.append((self, self.connection.info.get_parameters()["application_name"], self.settings_dict["OPTIONS"]))

    pooled = {**connections["default"].settings_dict["OPTIONS"], "pool": {"min_size": 1, "max_size": 1}}
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", pooled)
    monkeypatch.setattr(apart, "connect", listen)
    fill(writer, 120.0)
    flush(writer)
    ((wrapper, name, options),) = made
    assert wrapper is not connections["default"]
    assert (name, "pool" in options, wrapper.connection) == (APPLICATION_NAME, False, None)


def test_what_cannot_be_written_is_said_once_and_written_later(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    rename = "ALTER TABLE dbops_slowqueries RENAME COLUMN {} TO {}"
    with renamed(rename.format("data", "other"), rename.format("other", "data")):
        for _ in range(3):
            fill(writer, 120.0)
            flush(writer)
    assert len(warnings(caplog)) == 1
    assert "cannot be kept now" in warnings(caplog)[0]
    assert not SlowQueryProcess.objects.exists()
    flush(writer)
    assert seen()[FINGERPRINT].count == 3


def test_where_the_tables_are_missing_it_says_so_once_and_is_quiet(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    rename = "ALTER TABLE {} RENAME TO {}"
    with renamed(rename.format("dbops_slowqueries", "elsewhere"), rename.format("elsewhere", "dbops_slowqueries")):
        fill(writer, 120.0)
        flush(writer)
        fill(writer, 120.0)
        flush(writer)
    assert warnings(caplog) == ["slow queries are logged and not kept: manage.py migrate makes the tables for them"]
    assert not writer.buffer


def test_what_was_not_expected_ends_nothing(
    writer: Writer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("dbops.slow_queries.writer.store", crash)
    fill(writer, 120.0)
    flush(writer)
    assert warnings(caplog) == ["slow queries cannot be kept"]
    assert caplog.records[-1].exc_info is not None


def test_a_process_with_more_than_it_can_count_says_so(writer: Writer) -> None:
    writer.buffer.most = 1
    fill(writer, 120.0)
    writer.keep("default", "another", timezone.now(), 120.0)
    flush(writer)
    run = SlowQueryProcess.objects.get()
    assert (run.dropped, run.dropped_at is not None) == (1, True)
    now = timezone.now()
    gap = slow_durations("default", now - timedelta(seconds=1), now).gap
    assert gap == "a process had more slow statements than it could count"


def test_no_thread_is_started_while_tests_run(writer: Writer) -> None:
    writer.start()
    fill(writer, 120.0)
    assert writer._thread is None
    assert not [thread for thread in threading.enumerate() if thread.name == "dbops-slow-queries"]
