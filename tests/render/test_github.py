"""Annotations are read back as GitHub's runner reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from dbops.findings.finding import Owner, Ownership, Severity
from dbops.findings.ignores import Ignore
from dbops.render.github import render
from tests.render.odd import NAMES, every_case, partly_seen, source
from tests.render.reports import (
    a_finding,
    a_redundant_index,
    a_report,
    a_target,
    against_a_baseline,
    an_exhausted_sequence,
    an_unindexed_foreign_key,
)

if TYPE_CHECKING:
    from dbops.findings.report import Report

CASES = every_case()
#: `::command name=value,name=value::text`
COMMAND = re.compile(r"::(?P<level>error|warning|notice) (?P<properties>[^\n]*?)::(?P<text>.*)", re.DOTALL)


@dataclass(frozen=True)
class Annotation:
    level: str
    properties: dict[str, str]
    text: str


def unescaped(text: str, more: tuple[str, ...] = ()) -> str:
    """Undo the runner's escapes, `%` at last."""
    for escape in ("0D", "0A", *more, "25"):
        text = text.replace(f"%{escape}", chr(int(escape, 16)))
    return text


def read(
    *reports: Report, fail_on: Severity | None = Severity.WARNING, **values: Any
) -> tuple[list[Annotation], list[str]]:
    """Return the annotations, and the lines that are none."""
    text = render(reports, fail_on=fail_on, source=source, **values)
    assert text.endswith("\n")
    assert "\r" not in text
    annotations, others = [], []
    for line in text.removesuffix("\n").split("\n"):
        found = COMMAND.fullmatch(line)
        if found is None:
            assert not line.startswith("::")
            others.append(line)
            continue
        pairs = [pair.split("=", 1) for pair in found["properties"].split(",")]
        properties = {name: unescaped(value, ("3A", "2C")) for name, value in pairs}
        annotations.append(Annotation(found["level"], properties, unescaped(found["text"])))
    return annotations, others


@pytest.mark.parametrize("case", CASES)
def test_every_line_is_an_annotation_or_the_summary_of_a_database(case: str) -> None:
    _, others = read(*CASES[case])

    assert len(others) == len(CASES[case])
    assert all(line.startswith("dbops ") for line in others)


def test_what_fails_the_build_is_an_error_and_the_rest_a_warning_or_a_notice() -> None:
    theirs = an_unindexed_foreign_key(1, owner=Owner(ownership=Ownership.UNMANAGED))
    report = a_report(an_exhausted_sequence(), an_unindexed_foreign_key(), theirs, a_redundant_index())

    strict, [summary] = read(report)
    lenient, _ = read(report, fail_on=Severity.CRITICAL)
    never, _ = read(report, fail_on=None)

    assert [one.level for one in strict] == ["error", "error", "warning", "notice"]
    assert [one.level for one in lenient] == ["error", "warning", "warning", "notice"]
    assert [one.level for one in never] == ["warning", "warning", "warning", "notice"]
    assert summary == "dbops default: 2 findings fail this build, 2 others, score 80/100"


def test_an_annotation_has_a_title_a_place_and_the_fix() -> None:
    [one], _ = read(a_report(an_unindexed_foreign_key()))

    assert one.properties == {
        "title": "unindexed_foreign_key public.task.task_user_fk",
        "file": "shop/model files/täsk.py",
        "line": "7",
    }
    assert one.text.splitlines()[0] == "Deleting one of 10,000 users scans 100,000 tasks (18 MB) under lock."
    assert "CREATE INDEX CONCURRENTLY task_user_idx ON public.task (user_id);" in one.text


def test_without_a_file_there_is_none() -> None:
    [one], _ = read(a_report(a_finding(owner=Owner())))

    assert set(one.properties) == {"title"}


def test_odd_names_break_out_of_nothing() -> None:
    annotations, _ = read(*CASES["odd names"])

    titles = [one.properties["title"] for one in annotations]
    assert len(titles) == len(NAMES)
    assert r'unindexed_foreign_key public."100%, a:b\r\n::error::x\x1b[31m\x00' in titles[-1]
    assert r'public."line\nbreak"' in titles[2]
    assert titles[3] == 'unindexed_foreign_key public."Größe 表 🐘"'


def test_what_was_not_seen_is_one_notice_and_a_crash_an_error() -> None:
    annotations, [summary] = read(partly_seen())

    crash, _, notice = annotations
    assert (crash.level, crash.properties["title"]) == ("error", "dbops default: not judged")
    assert crash.text == "duplicate_index: crashed: KeyError: a defect"
    assert (notice.level, notice.properties["title"]) == ("notice", "dbops default: not looked at")
    assert notice.text.splitlines() == [
        "invalid_index: skipped: no SELECT on it: public.a",
        "missing_primary_key: saw only a part: no SELECT on it: public.b",
        "public.big is locked by another session",
    ]
    assert "4 things not seen" in summary


def test_nothing_looked_at_is_no_good_news() -> None:
    [one], [summary] = read(a_report(results=()))

    assert "nothing was looked at" in one.text
    assert summary.endswith("1 thing not seen, no score")


def test_known_findings_are_counted_and_what_is_gone_is_a_notice() -> None:
    annotations, [summary] = read(against_a_baseline())

    assert [(one.level, one.properties["title"]) for one in annotations] == [
        ("error", "duplicate_index public.new"),
        ("error", "duplicate_index public.worse"),
        ("notice", "dbops default: stale baseline"),
    ]
    assert "it is worse than in the baseline" in annotations[1].text
    assert "2 findings fail this build, 0 others, 1 known" in summary


def test_unused_ignores_are_one_notice_and_the_limits_are_in_every_summary() -> None:
    unused = Ignore(check="unlogged_table", target="public.gone_*", reason="old")

    [one], lines = read(
        a_report(), a_report(target=a_target(alias="other")), unused=[unused], scope="only structural checks"
    )

    assert (one.level, one.properties["title"]) == ("notice", "dbops: unused ignores")
    assert [line.endswith("only structural checks") for line in lines] == [True, True]
