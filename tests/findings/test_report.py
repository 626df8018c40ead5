"""The score is what docs/contracts.md says it is, and a build fails on what is ours."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from dbops.findings.finding import Confidence, Finding, Kind, Owner, Ownership, Severity, Tag, Target
from dbops.findings.ignores import Ignore, set_aside
from dbops.findings.report import CheckResult, Outcome, Report, ReportTarget, Term, score, worst_first


def a_finding(
    check: str = "a", severity: str = "warning", name: str = "public.t", ownership: str = "mine", **values: Any
) -> Finding:
    owner = Owner(ownership=Ownership(ownership))
    finding = Finding(
        target=Target(Kind.TABLE, name), message="", severity=Severity(severity), check=check, owner=owner
    )
    for key, value in values.items():
        object.__setattr__(finding, key, value)
    return finding


def a_report(*findings: Finding, alias: str | None = "default", live: tuple[str, ...] = ()) -> Report:
    names = dict.fromkeys(finding.check for finding in findings)
    return Report(
        target=ReportTarget(
            alias=alias, database="shop", server_version="18.6", is_standby=False, table_count=1, size_bytes=1
        ),
        taken_at=datetime.now(UTC),
        duration_ms=1,
        results=tuple(
            CheckResult(check=name, tag=Tag.LIVE if name in live else Tag.STRUCTURAL, outcome=Outcome.FOUND)
            for name in names
        ),
        findings=findings,
    )


@pytest.mark.parametrize(
    ("findings", "value"),
    [
        ([], 100),
        ([a_finding(severity="info")], 100),
        ([a_finding()], 95),
        ([a_finding(severity="critical")], 80),
        ([a_finding(), a_finding(check="b")], 90),
        ([a_finding()] * 2, 90),
        ([a_finding()] * 50, 90),
        ([a_finding(severity="critical")] + [a_finding()] * 50, 60),
        ([a_finding(confidence=Confidence.LOW)] * 3, 95),
        ([a_finding(confidence=Confidence.MEDIUM)], 95),
        ([a_finding(check=str(number), severity="critical") for number in range(9)], 0),
    ],
)
def test_points_are_taken_off_as_the_contract_says(findings: list[Finding], value: int) -> None:
    assert score(findings).value == value


def test_the_terms_add_up_and_come_worst_first() -> None:
    terms = score([a_finding("small"), a_finding("big", "critical"), a_finding("none", "info")]).terms
    assert terms == (Term("big", 20.0), Term("small", 5.0))


def test_a_red_condition_caps_the_score_and_is_named() -> None:
    capped = score([a_finding("full_sequence", "critical", is_red=True)])
    assert (capped.value, capped.capped_by) == (30, "full_sequence")
    low = score([a_finding("full", "critical", is_red=True), *(a_finding(str(n), "critical") for n in range(4))])
    assert (low.value, low.capped_by) == (0, "full")


def test_now_and_wear_are_apart_and_the_score_is_the_lower() -> None:
    report = a_report(a_finding("live_one", "critical"), a_finding("structural_one"), live=("live_one",))
    assert [judged and judged.value for judged in (report.now, report.wear, report.score)] == [80, 95, 80]


@pytest.mark.parametrize(
    ("ownership", "alias", "counts"),
    [
        ("mine", "default", True),
        ("server", "default", True),
        ("unmanaged", "default", False),
        ("unmanaged", None, True),
        ("contrib", "default", False),
        ("third_party", None, False),
    ],
)
def test_whose_findings_fail_a_build(ownership: str, alias: str | None, *, counts: bool) -> None:
    report = a_report(a_finding(severity="critical", ownership=ownership), alias=alias)
    assert bool(report.failing(Severity.WARNING)) is counts


def test_only_what_is_bad_enough_fails_a_build() -> None:
    report = a_report(a_finding(), a_finding("b", "info"), a_finding("c", "critical"))
    assert [finding.check for finding in report.failing(Severity.CRITICAL)] == ["c"]
    assert [finding.check for finding in report.failing(Severity.WARNING)] == ["a", "c"]


def test_worst_first_then_ours_then_by_name() -> None:
    found = [
        a_finding("b", "info"),
        a_finding("a", "warning", "z"),
        a_finding("a", "warning", "y"),
        a_finding("c", "warning", ownership="contrib"),
        a_finding("z", "critical"),
    ]
    order = [(finding.check, finding.target.name) for finding in worst_first(found)]
    assert order == [("z", "public.t"), ("a", "y"), ("a", "z"), ("c", "public.t"), ("b", "public.t")]


def test_a_fingerprint_knows_database_check_kind_and_target_but_no_number() -> None:
    one = a_finding()
    other = Finding(target=one.target, message="other numbers", check="a", evidence={"size_bytes": 1})
    assert one.fingerprint("default") == other.fingerprint("default")
    different = {
        one.fingerprint("default"),
        one.fingerprint("replica"),
        a_finding("b").fingerprint("default"),
        a_finding(name="public.u").fingerprint("default"),
        Finding(target=Target(Kind.INDEX, "public.t"), message="", check="a").fingerprint("default"),
    }
    assert len(different) == 5


def test_an_ignore_takes_out_what_it_names_through_its_last_day() -> None:
    ignore = Ignore(check="a", target="public.report_*", reason="monthly", until=date(2027, 3, 1))
    meant = a_finding(name="public.report_1")
    others = (a_finding(), a_finding("b", name="public.report_1"))
    kept, ignored, expired = set_aside([meant, *others], [ignore], date(2027, 3, 1))
    assert kept == others
    assert expired == ()
    assert [(one.finding, one.reason, one.until) for one in ignored] == [(meant, "monthly", "2027-03-01")]
    after = set_aside([meant], [ignore], date(2027, 3, 2))
    assert (after.kept, after.ignored) == ((meant,), ())
    assert [(one.finding, one.reason, one.until) for one in after.expired] == [(meant, "monthly", "2027-03-01")]
