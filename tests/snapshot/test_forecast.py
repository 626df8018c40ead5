"""What is told of the days to come, and that a burst is not taken for a pace."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from dbops.snapshot.forecast import Forecast, by_subject, forecast
from tests.activity_builders import NOON, a_growth

if TYPE_CHECKING:
    from dbops.snapshot.activity_rows import Growth


def quarters(*by: int, days: float = 28) -> Growth:
    """Growth by so much in each part of the time, which are equally long."""
    moments = tuple(NOON - timedelta(days=days * left / len(by)) for left in range(len(by), -1, -1))
    return replace(a_growth(), moments=moments, values=tuple(1000 + sum(by[:number]) for number in range(len(by) + 1)))


def test_what_grows_evenly_goes_on() -> None:
    found = forecast(a_growth(per_day=100, days=28), 1000)
    assert found == Forecast(per_day=100, measured_days=28, days_left=10, parts=4)
    assert found.is_within(11)
    assert not found.is_within(10)


@pytest.mark.parametrize(
    ("by", "per_day"),
    [
        ((700, 700, 700, 700), 100),
        ((700, 700, 700, 9000), 100),
        ((0, 9000, 0, 0), None),
        ((0, 9000, 9000, 0), None),
        ((100, 9000, 100, 100), 100 / 7),
        ((100, 200, 400, 800), 200 / 7),
        ((0, 700, 700, 700), 75),
        ((0, 0, 700, 700), None),
        ((0, 0, 0, 0), None),
    ],
    ids=[
        "even",
        "and a load of late",
        "one load",
        "across a border",
        "slow, and a load",
        "faster and faster",
        "begun after a week",
        "begun after two weeks",
        "still",
    ],
)
def test_the_pace_is_what_three_of_four_quarters_reached_and_no_more_than_the_mean(
    by: tuple[int, ...], per_day: float | None
) -> None:
    found = forecast(quarters(*by), 1000)
    assert (found.per_day if found else None) == (None if per_day is None else pytest.approx(per_day))


def test_with_fewer_parts_the_slowest_counts_and_nothing_is_firm() -> None:
    found = forecast(quarters(700, 1400, 2100), 100)
    assert found is not None
    assert found.per_day == pytest.approx(75)
    assert not found.is_firm
    halves = forecast(quarters(0, 5000), 100)
    assert halves is None


def test_two_moments_alone_do_not_tell_a_load_from_growth() -> None:
    assert forecast(quarters(5000), 100) is None
    assert forecast(None, 100) is None


def test_what_was_set_back_has_no_pace_but_used_room_has() -> None:
    back = quarters(700, -100, 700, 700)
    assert forecast(back, 1000) is None
    found = forecast(back, 1000, may_shrink=True)
    assert found is not None
    assert found.per_day == pytest.approx(2000 / 28)
    assert forecast(quarters(700, 700, 700, -2100), 1000, may_shrink=True) is None


def test_steps_are_counted_and_what_counts_down_grows_downwards() -> None:
    found = forecast(quarters(-700, -700, -700, -700), 100, step=-10)
    assert found is not None
    assert found.per_day == pytest.approx(10)
    assert found.days_left == pytest.approx(10)
    assert forecast(quarters(700, 700, 700, 700), 100, step=-10) is None


@pytest.mark.parametrize(
    ("days", "per_day", "remaining", "is_firm"),
    [(28, 1, 196, True), (28, 1, 197, False), (7, 1, 49, True), (7, 1, 50, False), (6.9, 1, 1, False)],
)
def test_it_is_relied_on_after_a_week_and_no_further_ahead_than_seven_times_that(
    days: float, per_day: float, remaining: float, is_firm: bool
) -> None:
    found = forecast(a_growth(per_day=1000 * per_day, days=days), 1000 * remaining)
    assert found is not None
    assert found.is_firm is is_firm
    assert found.is_within(1000) is is_firm


@pytest.mark.parametrize(
    ("per_day", "days_left", "words"),
    [
        (12_000, 170.9, " At the pace of the last 28 days (12,000 a day), that is in 170 days."),
        (0.4, 3, " At the pace of the last 28 days (less than 1 a day), that is in 3 days."),
        (5, 1.99, " At the pace of the last 28 days (5 a day), that is in 47 hours."),
        (5, 0.05, " At the pace of the last 28 days (5 a day), that is in 1 hour."),
        (5, 0.01, " At the pace of the last 28 days (5 a day), that is within an hour."),
        (5, 3651, ""),
    ],
)
def test_words(per_day: float, days_left: float, words: str) -> None:
    assert Forecast(per_day, 28.4, days_left, 4).words() == words


def test_evidence_and_words_of_other_units() -> None:
    found = Forecast(1234.56, 1.04, 9.876, 4)
    assert found.evidence("bytes_per_day") == {"days_left": 9.9, "bytes_per_day": 1235, "measured_days": 1.0}
    assert Forecast(0.26, 8, 9, 4).evidence("rows_per_day")["rows_per_day"] == 0.3
    assert found.words(lambda size: f"{size} B") == " At the pace of the last 1 day (1235 B a day), that is in 9 days."


def test_growth_is_looked_up_by_what_grows() -> None:
    one, other = a_growth(), a_growth("disk", place="wal")
    assert by_subject((one, other)) == {("sequence", 500, 0, ""): one, ("disk", 0, 0, "wal"): other}
    assert by_subject(None) == {}
