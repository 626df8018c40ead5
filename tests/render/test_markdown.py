"""Markdown is rendered to HTML by markdown-it and read there, as a reader of the comment would see it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from markdown_it import MarkdownIt

from dbops.findings.finding import Confidence
from dbops.findings.ignores import Ignore
from dbops.findings.report import Ignored, Report
from dbops.render.markdown import MOST, render
from tests.render.odd import NAMES, every_case, partly_seen
from tests.render.reports import (
    a_redundant_index,
    a_report,
    a_target,
    against_a_baseline,
    an_exhausted_sequence,
    an_unindexed_foreign_key,
)

CASES = every_case()


def html(*reports: Report, **values: Any) -> str:
    shown: str = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(render(reports, **values))
    return shown


def seen(*reports: Report, **values: Any) -> str:
    """What is there to read, without its markup."""
    return unescape(re.sub(r"<[^>]*>", "", html(*reports, **values)))


@pytest.mark.parametrize("case", CASES)
def test_the_table_has_a_row_for_each_database_and_what_is_folded_is_closed_again(case: str) -> None:
    text = html(*CASES[case])

    assert text.count("<table>") == 1
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    assert len(rows) == 1 + len(CASES[case])
    assert {len(re.findall("<t[hd]", row)) for row in rows} == {8}
    assert text.count("<details>") == text.count("</details>")


def test_findings_stand_under_their_severity_the_worst_first() -> None:
    text = html(a_report(a_redundant_index(), an_unindexed_foreign_key(), an_exhausted_sequence()))

    assert re.findall("<h4>(.*?)</h4>", text) == ["Critical", "Warnings", "Remarks"]
    assert text.index("exhausted_sequence") < text.index("unindexed_foreign_key") < text.index("redundant_index")


def test_a_finding_shows_its_message_and_folds_evidence_and_fix() -> None:
    text = html(a_report(an_unindexed_foreign_key(confidence=Confidence.LOW)))

    view, _, folded = text.partition("<details><summary>Evidence and fix</summary>")
    assert "tasks.Task.user (0003_task_user)" in view
    assert "100,000 tasks (18 MB) under lock. (low confidence, structural)" in view
    assert "<code>rows</code> 100000" in folded
    assert '<code class="language-python">AddIndexConcurrently(' in folded
    assert '<code class="language-sql">CREATE INDEX CONCURRENTLY' in folded
    assert "Or in SQL, outside a transaction:" not in view


def test_what_no_code_mends_says_where_to_read() -> None:
    assert "manage.py dbanalyze --explain exhausted_sequence" in seen(a_report(an_exhausted_sequence()))


def test_the_score_has_its_terms() -> None:
    text = seen(a_report(an_exhausted_sequence(is_red=True), an_unindexed_foreign_key()))

    assert "Score 30/100" in text
    assert "now, the running database: 30 = 100 − 20 exhausted_sequence (capped by exhausted_sequence)" in text
    assert "wear, the schema and settings: 95 = 100 − 5 unindexed_foreign_key" in text


def test_what_was_not_seen_is_told_with_its_reason_and_a_failure_first() -> None:
    text = seen(partly_seen(interrupted="the connection was lost"))

    assert text.index("[!CAUTION]") < text.index("interrupted, so only a part was looked at: the connection was lost")
    assert text.index("duplicate_index: crashed: KeyError") < text.index("missing_primary_key public.c")
    for line in (
        "invalid_index: skipped: no SELECT on it: public.a",
        "missing_primary_key: saw only a part: no SELECT on it: public.b",
        "public.big is locked by another session",
    ):
        assert line in text.partition("Not looked at")[2]


def test_nothing_is_said_in_words() -> None:
    assert "Nothing wrong was found." in seen(a_report())
    assert "Nothing wrong was found in what could be seen." in seen(a_report(unseen=("public.a is locked",)))
    assert "Nothing was looked at: this says nothing" in seen(a_report(results=()))
    assert "no score: no check could look" in seen(a_report(results=())).lower()
    assert "Is it the right one, and migrated?" in seen(a_report(target=a_target(table_count=0)))


def test_the_limits_are_told() -> None:
    assert "Limited: only structural checks." in seen(a_report(), scope="only structural checks")


def test_decisions_are_told_and_stale_ones_in_view() -> None:
    ignored = Ignored(finding=a_redundant_index(), reason="monthly job", until="2027-03-01")
    finding = an_unindexed_foreign_key()
    expired = Ignored(finding=finding, reason="old | one", until="2026-01-01")
    unused = Ignore(check="unlogged_table", target="public.gone_*", reason="old")

    text = seen(a_report(finding, ignored=(ignored,), expired=(expired,)), unused=[unused])

    assert "1 finding ignored" in text
    assert "redundant_index public.task_0_idx: monthly job (until 2027-03-01)" in text
    assert "its ignore expired on 2026-01-01: old | one" in text
    assert "unlogged_table on public.gone_* matched nothing" in text


def test_known_findings_are_folded_and_what_is_gone_is_in_view() -> None:
    text = seen(against_a_baseline())

    new, _, known = text.partition("1 finding known to the baseline")
    assert "public.known" not in new
    assert "duplicate_index public.known" in known
    assert "it is worse than in the baseline" in new
    assert "duplicate_index public.gone: remove from the baseline" in known


def test_odd_names_are_shown_as_they_are() -> None:
    text = seen(*CASES["odd names"])

    assert "unindexed_foreign_key" in text
    for name in NAMES[:2] + NAMES[3:5]:
        assert f"Odd: {name}." in text
    assert r'public."line\nbreak"' in text


def test_of_very_many_the_rest_is_counted() -> None:
    report = a_report(*(an_unindexed_foreign_key(number) for number in range(MOST + 60)))

    text = seen(report)

    assert text.count("Evidence and fix") == MOST
    assert "And 60 more findings: unindexed_foreign_key 60." in text
    assert len(render([report])) < 65_536
