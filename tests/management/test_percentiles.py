"""The 95th percentile of a statement, by what the slow-query log kept of it, or why there is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.db import DatabaseError

from dbops.findings.statement_ranking import NO_P95, By, rank
from dbops.management import percentiles
from dbops.management.percentiles import with_percentiles
from dbops.slow_queries.buffer import Buffer
from dbops.slow_queries.store import store
from dbops.snapshot.statement_text import fingerprint
from tests.activity_builders import a_statement, a_window

if TYPE_CHECKING:
    from dbops.findings.statement_ranking import RankedStatement

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TEXT = "SELECT a FROM task WHERE id = $1"


def log(*durations_ms: float) -> None:
    """Log slow executions of the statement, as a process that ran all day did."""
    buffer = Buffer()
    for number, duration_ms in enumerate(durations_ms):
        buffer.add(
            "default",
            fingerprint("SELECT a FROM task WHERE id = %s"),
            NOON - timedelta(minutes=60 + number),
            duration_ms,
        )
    store(
        buffer.take(),
        process=uuid4(),
        aliases=["default"],
        threshold_ms=100,
        began_at=NOON - timedelta(days=2),
        now=NOON + timedelta(minutes=1),
        has_ended=False,
    )


def told(alias: str | None = "default", *, breaks: tuple[str, ...] = (), **values: Any) -> RankedStatement:
    statement = a_statement(text=TEXT, **{"calls": 100, "total_ms": 5_000.0, **values})
    (window,) = a_window(breaks=breaks, ended_at=NOON, started_at=NOON - timedelta(days=1))
    ranking = rank([statement], window, (), None, by=By.TOTAL, limit=10)
    (one,) = with_percentiles(ranking.statements, [statement], window, alias)
    return one


def test_it_is_the_rank_among_all_calls() -> None:
    log(*[200.0] * 4, *[400.0] * 6)
    one = told()
    assert one.p95_unknown is None
    assert one.p95_ms == pytest.approx(400, rel=0.05)


def test_with_few_slow_calls_it_is_less_than_the_threshold() -> None:
    log(200.0, 400.0)
    one = told()
    assert one.p95_ms is None
    assert one.p95_unknown == "but less than 100 ms, as fewer than 5 % of its calls were slow"


def test_where_log_and_server_contradict_one_another_there_is_none() -> None:
    log(*[400.0] * 6)
    assert told(calls=3, total_ms=1_200.0).p95_ms is None
    assert "slow executions were logged of 3" in str(told(calls=3, total_ms=1_200.0).p95_unknown)
    assert "more time than was logged" in str(told(total_ms=500_000.0).p95_unknown)


def test_without_a_log_of_the_whole_window_there_is_none() -> None:
    assert told().p95_ms is None
    assert told().p95_unknown not in {None, NO_P95}


def test_where_nothing_can_be_known_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    log(*[400.0] * 10)
    assert told(None).p95_unknown == NO_P95
    assert "restarted" in str(told(breaks=("restarted at 2026-01-02 09:00",)).p95_unknown)

    def fail(*_: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(percentiles, "slow_durations", fail)
    assert told().p95_unknown == NO_P95
