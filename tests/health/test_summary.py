"""What many checks come to."""

from __future__ import annotations

import pytest

from dbops.health.probe import Status
from dbops.health.summary import Line, Summary


def line(check: str, status: Status | None, *, alias: str = "default", is_essential: bool = False) -> Line:
    return Line(
        check=check,
        alias=alias,
        status=status,
        reason=None,
        latency_ms=1.0,
        age_s=None,
        is_essential=is_essential,
        figures={},
    )


@pytest.mark.parametrize(
    ("lines", "whole"),
    [
        ((), Status.OK),
        ((line("database", Status.OK, is_essential=True), line("pool", None)), Status.OK),
        ((line("database", Status.OK, is_essential=True), line("cache", Status.DOWN)), Status.DEGRADED),
        ((line("database", Status.DEGRADED, is_essential=True),), Status.DEGRADED),
        ((line("database", Status.DOWN, is_essential=True), line("cache", Status.OK)), Status.DOWN),
    ],
)
def test_the_whole_is_down_only_with_what_the_site_stands_on(lines: tuple[Line, ...], whole: Status) -> None:
    assert Summary(lines).status is whole


def test_a_check_shows_the_worst_of_its_aliases_and_what_was_not_judged_is_left_out() -> None:
    lines = (
        line("database", Status.OK, is_essential=True),
        line("database", Status.DOWN, alias="replica"),
        line("pool", None),
    )
    assert Summary(lines).checks == {"database": Status.DOWN}
    assert Summary(lines).status is Status.DEGRADED
