from __future__ import annotations

import pytest

from dbops.snapshot.amounts import format_seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.9, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (250, "4 min 10 s"),
        (3_600, "1 h"),
        (7_530, "2 h 5 min"),
        (86_400, "1 d"),
        (273_600 + 3_599, "3 d 4 h"),
        (400_000_000, "4,629 d 15 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
