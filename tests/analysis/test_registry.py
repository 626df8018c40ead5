"""Checks describe themselves, completely."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from dbops import checks as package
from dbops.analysis.registry import Check, check_thresholds, checks
from dbops.analysis.runner import select
from dbops.findings.finding import Tag
from dbops.snapshot.snapshot import SECTIONS

EVERY = pytest.mark.parametrize("check", checks().values(), ids=lambda check: check.id)


def test_a_check_is_a_module_and_nothing_else_lists_it() -> None:
    modules = {path.stem for path in Path(inspect.getfile(package)).parent.glob("*.py")} - {"__init__"}
    assert set(checks()) == modules
    assert modules


@EVERY
def test_a_check_has_a_page(check: Check) -> None:
    assert check.summary
    assert len(check.why) > 80
    assert check.remedy
    assert "\n" not in check.summary


@EVERY
def test_a_check_asks_for_sections_that_are_collected(check: Check) -> None:
    assert check.sections <= set(SECTIONS)
    assert check.needs


@EVERY
def test_a_threshold_has_a_default_and_a_unit_that_a_person_knows(check: Check) -> None:
    for name, default in check.thresholds.items():
        assert isinstance(default, (int, float, bool, str))
        assert re.fullmatch(r"[a-z][a-z_]+", name)


def test_only_and_tag_choose() -> None:
    names = list(checks())
    assert [check.id for check in select(only=names[:2])] == names[:2]
    assert {check.tag for check in select(tag=Tag.LIVE)} == {Tag.LIVE}
    assert names[0] not in {check.id for check in select(disabled=names[:1])}


def test_a_check_asked_for_by_name_runs_though_it_is_switched_off() -> None:
    name = next(iter(checks()))
    assert [check.id for check in select(only=[name], disabled=[name])] == [name]


@pytest.mark.parametrize("value", [0.7, 1, 0])
def test_a_number_fits_a_numeric_threshold(value: float) -> None:
    assert not list(check_thresholds("exhausted_sequence", {"used_ratio": value}))


@pytest.mark.parametrize("value", ["0.7", True, None, -1])
def test_anything_else_is_refused_with_the_default(value: object) -> None:
    (problem,) = check_thresholds("exhausted_sequence", {"used_ratio": value})
    assert "its default is 0.75" in str(problem)


def test_an_unknown_threshold_is_refused_with_those_there_are() -> None:
    (problem,) = check_thresholds("exhausted_sequence", {"ratio": 0.7})
    assert "used_ratio" in str(problem)


def test_the_parts_of_a_page_are_apart() -> None:
    page = checks()["invalid_index"]
    assert page.remedy.startswith("What an interrupted")
    assert page.unreported.startswith("An index that is being built")
    assert "How to fix" not in page.why + page.remedy + page.unreported
