"""What slow executions tell of all executions."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.slow_queries.durations import ERROR, Durations, Percentile, Unclaimed, bounds_ms, bucket_of, merged, p95

THRESHOLD_MS = 100.0


def counted(*durations_ms: float, unmeasured: int = 0) -> Durations:
    found = Durations(unmeasured=unmeasured)
    for duration_ms in durations_ms:
        found.add(duration_ms)
    return found


NONE = counted()


@given(st.floats(min_value=0.01, max_value=1e8))
def test_a_bucket_is_never_further_from_a_duration_than_promised(duration_ms: float) -> None:
    least, most = bounds_ms(bucket_of(duration_ms))
    assert least * (1 - 1e-9) <= duration_ms <= most * (1 + 1e-9)
    middle = Percentile(least, most).middle_ms
    assert middle is not None
    assert abs(middle - duration_ms) <= duration_ms * (ERROR + 1e-9)


@pytest.mark.parametrize("duration_ms", [0.0, -1.0, 1e-9])
def test_a_clock_that_stands_still_breaks_nothing(duration_ms: float) -> None:
    assert isinstance(bucket_of(duration_ms), int)


@given(
    fast=st.lists(st.floats(min_value=0.01, max_value=99), max_size=400),
    slow=st.lists(st.floats(min_value=101, max_value=60_000), max_size=60),
)
def test_it_is_the_95th_percentile_of_all_executions(fast: list[float], slow: list[float]) -> None:
    every = sorted([*fast, *slow])
    if not every:
        return
    truth = every[math.ceil(len(every) * 0.95) - 1]
    found = p95(len(every), counted(*slow), NONE, threshold_ms=THRESHOLD_MS, total_ms=sum(every))
    assert isinstance(found, Percentile)
    if found.least_ms is None:
        assert (found.most_ms, truth < THRESHOLD_MS) == (THRESHOLD_MS, True)
    else:
        assert found.least_ms * (1 - 1e-9) <= truth <= found.most_ms * (1 + 1e-9)
        assert found.middle_ms is not None
        assert abs(found.middle_ms - truth) <= truth * 0.05


@given(
    slow=st.lists(st.floats(min_value=101, max_value=60_000), max_size=30),
    edge=st.lists(st.tuples(st.floats(min_value=101, max_value=60_000), st.booleans()), max_size=20),
    fast=st.integers(0, 400),
)
def test_whichever_side_of_the_windows_edge_executions_were_on(
    slow: list[float], edge: list[tuple[float, bool]], fast: int
) -> None:
    within = [*slow, *(duration for duration, is_within in edge if is_within)]
    calls = fast + len(within)
    if not calls:
        return
    truth = sorted([*([1.0] * fast), *within])[math.ceil(calls * 0.95) - 1]
    found = p95(calls, counted(*slow), counted(*(one for one, _ in edge)), threshold_ms=THRESHOLD_MS)
    assert isinstance(found, Percentile)
    assert truth <= found.most_ms * (1 + 1e-9)
    assert found.least_ms is None or found.least_ms * (1 - 1e-9) <= truth


def test_with_five_slow_ones_of_a_hundred_the_95th_is_a_quick_one_and_with_six_the_quickest_of_them() -> None:
    slow = [200.0, 300.0, 400.0, 500.0, 600.0]
    assert p95(100, counted(*slow), NONE, threshold_ms=THRESHOLD_MS) == Percentile(None, THRESHOLD_MS)
    found = p95(100, counted(150.0, *slow), NONE, threshold_ms=THRESHOLD_MS)
    assert isinstance(found, Percentile)
    assert found.middle_ms == pytest.approx(150, rel=ERROR)


def test_without_any_slow_one_it_is_below_the_threshold() -> None:
    assert p95(7, NONE, NONE, threshold_ms=250) == Percentile(None, 250)


def test_what_only_some_processes_logged_is_left_out() -> None:
    """One process logs from 50 ms on, the other from 100 ms on: of what lies between, part is missing."""
    found = p95(10, counted(*[60.0] * 5), NONE, threshold_ms=THRESHOLD_MS)
    assert found == Percentile(None, THRESHOLD_MS)


@pytest.mark.parametrize(
    ("calls", "inside", "edge", "total_ms", "reason"),
    [
        (4, counted(*[200.0] * 5), NONE, None, "5 slow executions were logged of 4 that the server counted"),
        (0, NONE, NONE, None, "0 slow executions were logged of 0"),
        (9, counted(200.0, unmeasured=1), NONE, None, "executemany"),
        (9, NONE, counted(unmeasured=1), None, "executemany"),
        (10, counted(200.0), NONE, 5_000.0, "more time than was logged"),
    ],
)
def test_it_is_not_claimed_where_the_numbers_do_not_fit(
    calls: int, inside: Durations, edge: Durations, total_ms: float | None, reason: str
) -> None:
    found = p95(calls, inside, edge, threshold_ms=THRESHOLD_MS, total_ms=total_ms)
    assert isinstance(found, Unclaimed)
    assert reason in found.reason


def test_it_is_not_claimed_where_slow_ones_may_be_missing() -> None:
    assert p95(9, counted(200.0), NONE, threshold_ms=100, gap="it was off") == Unclaimed("it was off")


def test_parts_are_put_together_and_stay_as_they_are() -> None:
    one, other = {"a": counted(1.0, 1.0), "b": counted(5.0)}, {"a": counted(1.0, unmeasured=2)}
    together = merged([one, other])
    assert (together["a"].count, together["a"].unmeasured, together["b"].count) == (5, 2, 1)
    assert one["a"].buckets == Counter({bucket_of(1.0): 2})
