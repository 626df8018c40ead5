"""Whether the log was on during a window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dbops.slow_queries.coverage import Run, gap

UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ago(**before: float) -> datetime:
    return UNTIL - timedelta(**before)


SINCE = ago(hours=24)


def run(began_at: datetime, seen_at: datetime, *, ended: bool = True, dropped_at: datetime | None = None) -> Run:
    return Run(began_at=began_at, seen_at=seen_at, has_ended=ended, threshold_ms=100, dropped_at=dropped_at)


@pytest.mark.parametrize(
    "runs",
    [
        [run(ago(days=3), ago(minutes=1), ended=False)],
        [run(ago(days=3), ago(hours=12)), run(ago(hours=12, minutes=-2), ago(seconds=5), ended=False)],
        [run(ago(hours=12), ago(seconds=5), ended=False), run(ago(days=3), ago(hours=11))],
        [run(ago(days=3), ago(minutes=1), ended=False), run(ago(hours=3), ago(hours=2))],
        [run(ago(days=3), ago(minutes=1), ended=False, dropped_at=ago(hours=25))],
        [run(ago(days=3), ago(hours=25), ended=False), run(ago(hours=24), UNTIL, ended=False)],
        [run(ago(days=3), UNTIL + timedelta(hours=1), ended=False)],
    ],
)
def test_processes_that_followed_one_another_cover_a_window(runs: list[Run]) -> None:
    assert gap(runs, SINCE, UNTIL) is None


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([], "not on"),
        ([run(ago(hours=23), UNTIL, ended=False)], "not on"),
        ([run(ago(days=3), ago(hours=1))], "not on"),
        ([run(ago(days=3), ago(hours=12)), run(ago(hours=11), UNTIL, ended=False)], "not on"),
        ([run(ago(days=3), ago(hours=1), ended=False), run(ago(days=2), UNTIL, ended=False)], "ended without a word"),
        ([run(ago(days=3), UNTIL, ended=False, dropped_at=ago(hours=2))], "more slow statements than it could count"),
    ],
)
def test_why_slow_statements_may_be_missing(runs: list[Run], said: str) -> None:
    reason = gap(runs, SINCE, UNTIL)
    assert reason is not None
    assert said in reason
