"""JUnit XML is read back by an XML parser; no schema of it is official, so its shape is asserted."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dbops.findings.finding import Owner, Ownership, Severity
from dbops.findings.ignores import Ignore
from dbops.findings.report import Ignored, Report
from dbops.render.junit import render
from tests.render.odd import every_case, partly_seen
from tests.render.reports import (
    a_redundant_index,
    a_report,
    against_a_baseline,
    an_exhausted_sequence,
    an_unindexed_foreign_key,
)

CASES = every_case()
#: What Jenkins' and GitLab's readers know: the children that each element may have.
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase", "system-out"},
    "testcase": {"failure", "error", "skipped", "system-out"},
    "failure": set(),
    "error": set(),
    "skipped": set(),
    "system-out": set(),
}


def rendered(*reports: Report, fail_on: Severity | None = Severity.WARNING, **values: Any) -> ET.Element:
    text = render(reports, fail_on=fail_on, **values)
    root = ET.fromstring(text.encode())  # noqa: S314  our own text
    for element in root.iter():
        assert {child.tag for child in element} <= CHILDREN[element.tag]
    for suite in root:
        for attribute, path in (
            ("tests", "testcase"),
            ("failures", "testcase/failure"),
            ("errors", "testcase/error"),
            ("skipped", "testcase/skipped"),
        ):
            assert int(suite.attrib[attribute]) == len(suite.findall(path))
    return root


def case(root: ET.Element, name: str) -> ET.Element:
    found = root.find(f".//testcase[@name='{name}']")
    assert found is not None
    return found


def text_of(root: ET.Element, path: str) -> str:
    found = root.find(path)
    assert found is not None
    return found.text or ""


@pytest.mark.parametrize("case", CASES)
def test_it_is_well_formed_and_its_counts_are_right(case: str) -> None:
    root = rendered(*CASES[case])

    assert len(root) == len(CASES[case])
    for suite, report in zip(root, CASES[case], strict=True):
        assert {result.check for result in report.results} <= {one.attrib["name"] for one in suite.iter("testcase")}
    names = [suite.attrib["name"] for suite in root]
    assert len(set(names)) == len(names)


def test_what_fails_the_build_is_a_failure_and_the_rest_is_not() -> None:
    report = a_report(
        an_exhausted_sequence(), an_unindexed_foreign_key(0), an_unindexed_foreign_key(1), a_redundant_index()
    )

    root = rendered(report)
    lenient = rendered(report, fail_on=Severity.CRITICAL)
    never = rendered(report, fail_on=None)

    failure = case(root, "unindexed_foreign_key").find("failure")
    assert failure is not None
    assert failure.attrib == {"message": "2 findings: public.task.task_user_fk …", "type": "warning"}
    assert "CREATE INDEX CONCURRENTLY task_user_idx" in (failure.text or "")
    assert "public.task_1.task_1_user_fk" in (failure.text or "")
    assert text_of(case(root, "redundant_index"), "system-out").startswith("info: public.task_0_idx: Every query")
    assert [suite.attrib["failures"] for one in (root, lenient, never) for suite in one] == ["2", "1", "0"]
    assert text_of(case(never, "exhausted_sequence"), "system-out").startswith("critical: ")
    assert list(case(root, "duplicate_index")) == []


def test_what_is_somebody_elses_fails_nothing() -> None:
    finding = an_unindexed_foreign_key(owner=Owner(ownership=Ownership.UNMANAGED))

    assert case(rendered(a_report(finding)), "unindexed_foreign_key").find("failure") is None


def test_a_case_is_classed_by_its_tag() -> None:
    root = rendered(a_report())

    assert case(root, "lagging_sequence").attrib["classname"] == "dbops.live"
    assert case(root, "duplicate_index").attrib["classname"] == "dbops.structural"


def test_skipped_crashed_and_partly_seen_are_each_told() -> None:
    root = rendered(partly_seen())

    assert case(root, "duplicate_index")[0].tag == "error"
    assert case(root, "duplicate_index")[0].attrib["message"] == "KeyError: a defect"
    assert case(root, "invalid_index")[0].tag == "skipped"
    assert case(root, "invalid_index")[0].attrib["message"] == "no SELECT on it: public.a"
    assert "saw only a part: no SELECT on it: public.b" in text_of(case(root, "missing_primary_key"), "system-out")
    assert case(root, "everything_was_seen")[0].attrib["message"] == "public.big is locked by another session"
    assert (root.attrib["failures"], root.attrib["errors"]) == ("1", "1")


def test_an_interrupted_look_is_an_error_and_nothing_looked_at_is_skipped() -> None:
    interrupted = case(rendered(a_report(interrupted="the connection was lost")), "everything_was_seen")
    nothing = case(rendered(a_report(results=())), "everything_was_seen")

    assert (interrupted[0].tag, nothing[0].tag) == ("error", "skipped")
    assert "the connection was lost" in interrupted[0].attrib["message"]
    assert "nothing was looked at" in nothing[0].attrib["message"]


def test_a_known_finding_is_no_failure_and_a_worse_one_is() -> None:
    root = rendered(against_a_baseline())

    found = case(root, "duplicate_index")
    failed, rest = text_of(found, "failure"), text_of(found, "system-out")
    assert "public.new" in failed
    assert "it is worse than in the baseline" in failed
    assert "public.known" not in failed
    assert "public.known" in rest
    assert "known: the baseline has it" in rest
    assert "duplicate_index public.gone: remove from the baseline" in text_of(root, "testsuite/system-out")


def test_limits_ignored_and_unused_are_in_the_suites_output() -> None:
    ignored = Ignored(finding=a_redundant_index(), reason="monthly job", until=None)
    unused = Ignore(check="unlogged_table", target="public.gone_*", reason="old")

    out = text_of(
        rendered(a_report(ignored=(ignored,)), scope="only structural checks", unused=[unused]), "testsuite/system-out"
    )

    assert "limited to only structural checks" in out
    assert "ignored: redundant_index public.task_0_idx: monthly job" in out
    assert "unlogged_table on public.gone_* matched nothing" in out
    assert "score 100/100" in out


def test_characters_that_xml_cannot_hold_are_written_out() -> None:
    failure = case(rendered(*CASES["odd names"]), "unindexed_foreign_key").find("failure")

    assert failure is not None
    assert r"\x1b[31m\x00" in (failure.text or "")
    assert "\N{REPLACEMENT CHARACTER}" in (failure.text or "")
    assert 'public."Größe 表 🐘"' in (failure.text or "")
    assert "`c` ``d`` <e> &f; ]]> -->" in (failure.text or "")
