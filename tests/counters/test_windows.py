"""A look with its history: the last day, the week before it, and what it says where there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, ProgrammingError

from dbops.counters import windows
from dbops.counters.windows import MADE_FROM_HISTORY, with_history
from dbops.snapshot.snapshot import SECTIONS, Unavailable
from tests.counters.kept import counted, keep, keep_every

if TYPE_CHECKING:
    from dbops.snapshot.snapshot import Snapshot

NOON = datetime(2026, 1, 20, 12, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALL = frozenset(MADE_FROM_HISTORY)


def only(snapshot: Snapshot, section: str) -> Any:
    found = snapshot.section(section)
    assert not isinstance(found, Unavailable), found
    (row,) = found
    return row


def reasons(snapshot: Snapshot, names: Any = ALL) -> set[str]:
    sections = [snapshot.section(name) for name in names]
    assert all(isinstance(section, Unavailable) for section in sections), sections
    return {section.reason for section in sections if isinstance(section, Unavailable)}


@pytest.mark.django_db
def test_the_window_is_the_last_day_and_statements_are_compared_with_the_week_before() -> None:
    keep_every(HOUR, NOON - 10 * DAY, NOON - HOUR)
    snapshot = with_history(counted(NOON, 240), ALL)
    window = only(snapshot, "window")
    assert (window.started_at, window.ended_at, window.covered_s) == (NOON - DAY, NOON, 24 * 3600)
    assert only(snapshot, "table_activity").inserts == 24
    assert only(snapshot, "statement_activity").calls == 24
    earlier = only(snapshot, "earlier_statement_window")
    assert (earlier.started_at, earlier.ended_at) == (NOON - 8 * DAY, NOON - DAY)
    assert only(snapshot, "earlier_statement_activity").calls == 7 * 24
    assert set(snapshot.sections) >= ALL


@pytest.mark.django_db
def test_whoever_asks_says_since_when() -> None:
    keep_every(HOUR, NOON - 10 * DAY, NOON - HOUR)
    snapshot = with_history(counted(NOON, 240), ALL, since=NOON - 3 * HOUR)
    assert only(snapshot, "window").started_at == NOON - 3 * HOUR
    assert only(snapshot, "table_activity").inserts == 3
    snapshot = with_history(counted(NOON, 240), ALL, since=NOON - 100 * DAY)
    assert only(snapshot, "window").started_at == NOON - 10 * DAY
    assert reasons(snapshot, ["earlier_statement_window", "earlier_statement_activity"])


@pytest.mark.django_db
def test_another_alias_is_no_history() -> None:
    keep(counted(NOON - HOUR, 1), "other")
    assert reasons(with_history(counted(NOON, 2), ALL), ["window", "table_activity"])


@pytest.mark.django_db
def test_only_what_is_wanted_is_made() -> None:
    keep(counted(NOON - HOUR, 1))
    snapshot = with_history(counted(NOON, 2), ["tables"])
    assert snapshot == counted(NOON, 2)
    assert "growth" not in with_history(counted(NOON, 2), ["window"]).sections


def test_a_dsn_has_no_history_and_asks_for_none() -> None:
    found = with_history(replace(counted(NOON, 2, database_reset_at=NOON - DAY), alias=None), ALL)
    assert only(found, "window").source == "pg_stat_database"
    assert reasons(found, ["growth", "index_uses", "earlier_statement_window"]) == {
        "no history is kept of a database that is given by its DSN"
    }


@pytest.mark.parametrize(
    ("error", "said"), [(ProgrammingError("no table"), "manage.py migrate"), (DatabaseError("gone\nfar"), "read: gone")]
)
def test_a_history_that_cannot_be_read_says_why(error: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(windows, "points", fail)
    monkeypatch.setattr(windows, "texts", lambda _alias: ())
    (reason,) = reasons(with_history(counted(NOON, 2), ALL), ALL - {"statement_window", "statement_activity"})
    assert said in reason
    assert "far" not in reason


def test_all_that_is_made_is_a_section() -> None:
    assert set(SECTIONS) >= ALL
