"""Statements are ranked by what they cost, and compared with what they were only where that says something."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dbops.findings.statement_ranking import By, Trend, compared, rank, windows_note
from tests.activity_builders import NOON, a_statement, a_window

WINDOW = a_window()[0]
BASELINE = a_window(hours=168)[0]
STATEMENTS = (
    a_statement(1, mean_ms=100, calls=1, wal_bytes=5),
    a_statement(2, mean_ms=1, calls=300, rows=9_000, shared_blocks_read=1, shared_blocks_hit=9),
    a_statement(3, mean_ms=0.1, calls=1_000, rows=1_000, temp_blocks_written=4),
    a_statement(4, mean_ms=90, calls=10, is_top_level=False),
)


@pytest.mark.parametrize(
    ("by", "ids", "share"),
    [
        (By.TOTAL, [2, 1, 3], 300 / 500),
        (By.MEAN, [1, 2, 3], None),
        (By.CALLS, [3, 2, 1], 1_000 / 1_301),
        (By.ROWS, [2, 3, 1], 9_000 / 10_100),
        (By.BLOCKS, [2, 1, 3], 1),
        (By.TEMP, [3], 1),
        (By.WAL, [1], 1),
    ],
)
def test_each_order(by: By, ids: list[int], share: float | None) -> None:
    ranking = rank(STATEMENTS, WINDOW, (), None, by=by)
    assert [one.activity.query_id for one in ranking.statements] == ids
    assert ranking.statements[0].share == (None if share is None else pytest.approx(share))
    assert (ranking.count, ranking.calls, ranking.nested_count) == (3, 1_301, 1)
    assert ranking.total_ms == pytest.approx(500)


def test_one_alone_keeps_its_rank() -> None:
    [one] = rank(STATEMENTS, WINDOW, (), None, by=By.TOTAL, only=3).statements
    assert one.rank == 3
    assert one.time_share == pytest.approx(0.2)
    [nested] = rank(STATEMENTS, WINDOW, (), None, by=By.TOTAL, only=4).statements
    assert (nested.rank, nested.share, nested.time_share) == (4, None, None)
    assert rank(STATEMENTS, WINDOW, (), None, by=By.TOTAL, only=5).statements == ()
    assert len(rank(STATEMENTS, WINDOW, (), None, by=By.TOTAL, limit=2).statements) == 2
    assert rank((), WINDOW, (), None, by=By.TOTAL).statements == ()


@pytest.mark.parametrize(
    ("now", "then", "trend"),
    [
        ({"mean_ms": 2}, {"mean_ms": 1}, Trend.SLOWER),
        ({"mean_ms": 1}, {"mean_ms": 2}, Trend.FASTER),
        ({"mean_ms": 1.4}, {"mean_ms": 1}, Trend.STEADY),
        ({"mean_ms": 2, "calls": 49}, {"mean_ms": 1}, Trend.FEW),
        ({"mean_ms": 2}, {"mean_ms": 1, "calls": 49}, Trend.FEW),
        ({"mean_ms": 2}, {"mean_ms": 0}, Trend.UNKNOWN),
        # One long execution within the window makes no trend.
        ({"mean_ms": 2, "max_ms": 100.0}, {"mean_ms": 1}, Trend.STEADY),
    ],
)
def test_trends(now: dict[str, Any], then: dict[str, Any], trend: Trend) -> None:
    assert compared(a_statement(**now), WINDOW, a_statement(**then), BASELINE).trend is trend


def test_what_was_not_there_before() -> None:
    one = a_statement()
    assert compared(one, WINDOW, None, None).trend is Trend.UNKNOWN
    assert compared(one, WINDOW, None, BASELINE).trend is Trend.NEW
    assert compared(one, WINDOW, None, replace(BASELINE, is_lower_bound=True)).trend is Trend.UNKNOWN
    assert compared(one, WINDOW, one, BASELINE).calls_per_hour_ratio == pytest.approx(7)


def test_what_is_said_of_a_window() -> None:
    assert windows_note(WINDOW, None) == []
    assert windows_note(WINDOW, NOON - timedelta(hours=25)) == []
    assert "nothing older was kept" in windows_note(WINDOW, NOON - timedelta(days=7))[0]
    own = replace(WINDOW, source="pg_stat_statements", breaks=("restarted at noon",), is_lower_bound=True)
    said = windows_note(own, None)
    assert "no history is kept" in said[0]
    assert "restarted at noon" in said[1]
    assert "too small" in said[2]
