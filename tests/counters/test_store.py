"""Counters are kept for as long as their tier says, come back as they were, and are asked for with time limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from dbops.counters.packing import KEPT
from dbops.counters.store import (
    KEPT_FOR,
    last_taken_at,
    limited,
    points,
    store_texts,
    texts,
    tier_at,
    unknown_statements,
)
from dbops.models import Counters, Statement
from dbops.snapshot.counter_rows import StatementText
from dbops.snapshot.deltas import epoch_of, statement_epoch_of
from dbops.snapshot.snapshot import Unavailable
from tests.counters.kept import counted, keep, keep_every

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 2, 12, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def test_the_first_of_a_day_is_kept_longest_then_the_first_of_an_hour() -> None:
    keep_every(timedelta(minutes=20), NOON, NOON + 2 * HOUR)
    tiers = [f"{kept.taken_at:%H:%M} {kept.tier}" for kept in Counters.objects.order_by("taken_at")]
    assert tiers == [
        "12:30 day",
        "12:50 minute",
        "13:10 hour",
        "13:30 minute",
        "13:50 minute",
        "14:10 hour",
        "14:30 minute",
    ]
    assert tier_at("other", NOON) == Counters.Tier.DAY


def test_all_comes_back_whatever_it_was_kept_as_a_difference_of() -> None:
    snapshots = [counted(NOON + number * 20 * MINUTE, number * 10) for number in range(8)]
    for snapshot in snapshots:
        keep(snapshot)
    found = points("default", since=NOON)
    assert [point.taken_at for point in found] == [snapshot.taken_at for snapshot in snapshots]
    for point, snapshot in zip(found, snapshots, strict=True):
        assert point.epoch == epoch_of(snapshot.sections)
        assert point.statement_epoch == statement_epoch_of(snapshot.sections)
        names = [name for name in KEPT if name in snapshot.sections]
        assert point.load(names) == {name: snapshot.sections[name] for name in names}
    assert set(Counters.objects.exclude(base=None).values_list("base__tier", flat=True)) == {"day", "hour"}


def test_a_section_that_was_not_kept_says_so() -> None:
    keep(counted(NOON, 1))
    (point,) = points("default", since=NOON)
    assert isinstance(point.load(["sequence_values"])["sequence_values"], Unavailable)


def test_each_tier_is_forgotten_in_its_time() -> None:
    keep_every(6 * HOUR, NOON - 50 * DAY, NOON)
    for number in range(60):
        keep(counted(NOON + (number + 1) * 10 * MINUTE, number + 1000))
    last = NOON + 600 * MINUTE
    ages: dict[str, list[timedelta]] = {}
    for tier, taken_at in Counters.objects.values_list("tier", "taken_at"):
        ages.setdefault(tier, []).append(last - taken_at)
    assert {tier: max(found) <= KEPT_FOR[tier] for tier, found in ages.items()} == dict.fromkeys(ages, True)
    oldest = {tier: max(found) for tier, found in ages.items()}
    assert KEPT_FOR["hour"] - oldest["hour"] < 12 * HOUR
    assert KEPT_FOR["minute"] - oldest["minute"] < 20 * MINUTE
    assert oldest["day"] == last - (NOON - 50 * DAY)
    for point in points("default", since=NOON - 60 * DAY):
        assert point.load(["table_statistics"])["table_statistics"]


def test_aliases_are_kept_apart() -> None:
    keep(counted(NOON, 1), "default")
    keep(counted(NOON, 2), "other")
    keep(counted(NOON + HOUR, 3), "other")
    assert [point.taken_at for point in points("default", since=NOON)] == [NOON]
    assert (last_taken_at("default"), last_taken_at("other"), last_taken_at("third")) == (NOON, NOON + HOUR, None)
    assert [point.taken_at for point in points("other", since=NOON, until=NOON)] == [NOON]


def test_the_same_moment_is_kept_once() -> None:
    assert keep(counted(NOON, 1)).pk == keep(counted(NOON, 1)).pk


def test_texts_are_asked_for_once_and_forgotten_when_nobody_runs_them() -> None:
    snapshot = counted(NOON, 1)
    assert unknown_statements("default", snapshot) == {7}
    store_texts("default", [StatementText(query_id=7, text="SELECT $1", is_own=False)], seen_at=NOON)
    store_texts("default", [StatementText(query_id=8, text="SELECT $2", is_own=True)], seen_at=NOON)
    store_texts("default", [StatementText(query_id=7, text="SELECT 'later'", is_own=False)], seen_at=NOON)
    assert unknown_statements("default", snapshot) == set()
    assert {(one.query_id, one.text, one.is_own) for one in texts("default")} == {
        (7, "SELECT $1", False),
        (8, "SELECT $2", True),
    }
    later = counted(NOON + 2 * DAY, 2)
    assert unknown_statements("default", later) == set()
    assert dict(Statement.objects.values_list("query_id", "seen_at")) == {7: NOON + 2 * DAY, 8: NOON}
    keep(counted(NOON + KEPT_FOR["day"] + DAY, 3))
    assert [one.query_id for one in texts("default")] == [7]


def test_every_statement_has_its_limits_and_leaves_none_behind() -> None:
    def limits() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
            return list(cursor.fetchone() or ())

    before = limits()
    with transaction.atomic():
        with limited():
            assert limits() == ["10s", "10s"]
        transaction.set_rollback(True)
    assert limits() == before
