"""Figures are kept as lines, found again, and compared with what is promised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dbops.benchmark.figures import Figures, Measure, keep, last_kept
from dbops.benchmark.page import page
from dbops.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

RATIO = Measure("ratio", "ratio of the two", "", 2, most=1.5)
LOOK = Measure("look_s", "the whole look", "s", 2, most=10.0)
SEEN = {
    "postgresql": "18.1",
    "python": "3.11",
    "django": "5.2",
    "cores": 2,
    "load_before": 0.5,
    "checks": 36,
    "findings": 3_502,
    "lines": 136,
    "statements": 460,
}


def figures(*ratios: float, taken_at: str = "2026-11-20T12:00:00+00:00", tables: int = 10) -> Figures:
    return Figures(
        benchmark="analyze",
        taken_at=taken_at,
        size={"tables": tables},
        runs={"ratio": ratios, "look_s": tuple(ratio * 2 for ratio in ratios)},
        circumstances=SEEN,
        steps_s={"indexes": 0.5, "judging": 1.25},
    )


def test_what_was_kept_last_is_found_again(tmp_path: Path) -> None:
    file = tmp_path / "new" / "figures.jsonl"
    assert last_kept(file, "analyze", {"tables": 10}) is None
    for one in (figures(1.3), figures(1.4, 1.2), figures(1.1, tables=20)):
        keep(one, file)
    assert len(file.read_text().splitlines()) == 3
    found = last_kept(file, "analyze", {"tables": 10})
    assert found is not None
    assert found.minimum(RATIO) == 1.2
    assert found.median(RATIO) == pytest.approx(1.3)
    assert last_kept(file, "analyze", {"tables": 30}) is None
    assert last_kept(file, "queries", {"tables": 10}) is None


@pytest.mark.parametrize("text", ["notes\n", '"text"\n', "{}\n"])
def test_a_file_of_something_else_is_refused_before_anything_is_measured(tmp_path: Path, text: str) -> None:
    file = tmp_path / "notes"
    file.write_text(text)
    with pytest.raises(UsageError, match="does not hold figures of dbbench"):
        last_kept(file, "analyze", {"tables": 10})


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"cannot write {tmp_path}"):
        keep(figures(1.0), tmp_path)


def test_the_median_decides_whether_a_target_is_missed() -> None:
    assert figures(1.0, 1.6, 1.7).misses(RATIO)
    assert not figures(1.0, 1.5, 9.9).misses(RATIO)
    assert not figures(9.9).misses(Measure("ratio", "ratio", "", 2))


def test_the_page_shows_figures_targets_and_the_change() -> None:
    before = figures(1.0, taken_at="2026-11-01T12:00:00+00:00")
    shown = page(figures(1.5, 2.0, 1.75), (RATIO, LOOK), before, verbosity=1).splitlines()
    assert "3,502 findings on 136 lines" in shown[0]
    assert "load before 0.5" in shown[0]
    rows = {line[:18].strip(): line[18:].split() for line in shown[2:5]}
    assert rows["ratio of the two"] == ["1.50", "1.75", "1.50", "+75", "%", "MISSED"]
    assert rows["the whole look"] == ["3.00", "s", "3.50", "s", "10.00", "s", "+75", "%"]
    assert "2026-11-01" in shown[-1]
    assert "judging" not in "\n".join(shown)


def test_verbosely_every_step_is_shown_the_longest_first() -> None:
    shown = page(figures(1.5), (RATIO,), None, verbosity=2)
    assert shown.splitlines()[-2:] == ["     1,250 ms  judging", "       500 ms  indexes"]
    assert "since" not in shown
