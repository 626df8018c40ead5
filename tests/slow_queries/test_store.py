"""Slow executions are kept by minute, then by hour, then not at all, and are read again for a window."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from dbops.models import SlowQueries, SlowQueryProcess
from dbops.slow_queries.buffer import Taken
from dbops.slow_queries.durations import Durations, Percentile, Unclaimed
from dbops.slow_queries.store import HOUR_S, KEPT_FOR, MINUTE_S, limited, pack, slow_durations, store, thin, unpack

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FINGERPRINT = "0123456789abcdef"


def keep(*minutes: datetime, count: int = 1, alias: str = "default", began_at: datetime = NOON - 60 * DAY) -> None:
    """Keep so many slow executions of each minute, in a process that was there all the time."""
    counted = {}
    for minute in minutes:
        durations = counted[alias, minute, FINGERPRINT] = Durations()
        for _ in range(count):
            durations.add(200.0)
    store(
        Taken(counted),
        process=uuid.uuid5(uuid.NAMESPACE_DNS, alias),
        aliases=[alias],
        threshold_ms=100.0,
        began_at=began_at,
        now=NOON,
        has_ended=False,
    )


def counts(since: datetime, until: datetime, alias: str = "default") -> tuple[int, int]:
    found = slow_durations(alias, since, until)
    none = Durations()
    return found.inside.get(FINGERPRINT, none).count, found.edge.get(FINGERPRINT, none).count


@given(
    st.dictionaries(
        st.text("0123456789abcdef", min_size=16, max_size=16),
        st.tuples(st.lists(st.floats(0.01, 1e7), max_size=20), st.integers(0, 5)),
        max_size=5,
    )
)
def test_it_comes_back_as_it_was(given_durations: dict[str, tuple[list[float], int]]) -> None:
    made = {}
    for name, (durations_ms, unmeasured) in given_durations.items():
        made[name] = Durations(unmeasured=unmeasured)
        for duration_ms in durations_ms:
            made[name].add(duration_ms)
    assert unpack(memoryview(pack(made))) == made


@pytest.mark.django_db
def test_a_window_has_its_minutes_and_those_at_its_edges() -> None:
    keep(*(NOON - number * MINUTE for number in range(1, 61)))
    assert counts(NOON - HOUR, NOON) == (60, 0)
    assert counts(NOON - 10 * MINUTE, NOON) == (10, 0)
    assert counts(NOON - 10.5 * MINUTE, NOON - 1.5 * MINUTE) == (8, 2)
    assert counts(NOON, NOON + HOUR) == (0, 0)
    assert counts(NOON - HOUR, NOON, "replica") == (0, 0)


@pytest.mark.django_db
def test_minutes_become_hours_after_a_while_and_nothing_is_lost() -> None:
    minutes = [NOON - number * 7 * MINUTE for number in range(1, 200)]
    keep(*minutes)
    keep(*minutes, alias="replica", count=2)
    thin(NOON + 0.5 * HOUR)
    for alias, count in (("default", 1), ("replica", 2)):
        kept = SlowQueries.objects.filter(alias=alias)
        recent = [minute for minute in minutes if minute >= NOON - 6 * HOUR]
        assert kept.filter(seconds=MINUTE_S).count() == len(recent)
        assert all(row.began_at >= NOON - 6 * HOUR for row in kept.filter(seconds=MINUTE_S))
        hours = kept.filter(seconds=HOUR_S)
        assert hours.count() == len({minute.replace(minute=0) for minute in minutes if minute < NOON - 6 * HOUR})
        assert counts(NOON - 2 * DAY, NOON, alias) == (len(minutes) * count, 0)
    before = list(SlowQueries.objects.values_list("pk"))
    thin(NOON + 0.5 * HOUR)
    assert list(SlowQueries.objects.values_list("pk")) == before
    within, edge = counts(NOON - 12.5 * HOUR, NOON)
    assert within == len([minute for minute in minutes if minute >= NOON - 12 * HOUR])
    assert edge == len([minute for minute in minutes if NOON - 13 * HOUR <= minute < NOON - 12 * HOUR])


@pytest.mark.django_db
def test_what_is_old_is_forgotten() -> None:
    keep(NOON - KEPT_FOR - DAY, NOON - KEPT_FOR + DAY)
    thin(NOON)
    assert [row.began_at for row in SlowQueries.objects.all()] == [NOON - KEPT_FOR + DAY]
    assert SlowQueryProcess.objects.count() == 1
    thin(NOON + KEPT_FOR + DAY)
    assert (SlowQueries.objects.count(), SlowQueryProcess.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_a_p95_is_claimed_for_a_window_that_was_watched() -> None:
    keep(NOON - 5 * MINUTE, count=6)
    found = slow_durations("default", NOON - HOUR, NOON)
    claimed = found.p95(FINGERPRINT, 100)
    assert isinstance(claimed, Percentile)
    assert claimed.middle_ms == pytest.approx(200, rel=0.05)
    assert found.p95(FINGERPRINT, 1000) == Percentile(None, 100.0)
    assert found.p95("another", 1000) == Percentile(None, 100.0)
    assert isinstance(found.p95(FINGERPRINT, 5), Unclaimed)
    assert isinstance(slow_durations("default", NOON - HOUR, NOON + HOUR).p95(FINGERPRINT, 100), Unclaimed)
    assert isinstance(slow_durations("replica", NOON - HOUR, NOON).p95(FINGERPRINT, 100), Unclaimed)


@pytest.mark.django_db
@pytest.mark.parametrize(("setting", "limit"), [({}, "5s"), ({"QUERY_TIMEOUT_S": 2}, "2s")])
def test_our_own_statements_have_limits(setting: dict[str, int], limit: str) -> None:
    with override_settings(DBOPS=setting), limited(write=True), connection.cursor() as cursor:
        for name in ("statement_timeout", "lock_timeout"):
            cursor.execute(f"SHOW {name}")
            assert cursor.fetchone() == (limit,)
