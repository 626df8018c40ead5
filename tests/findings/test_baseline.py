from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from dbops.findings.baseline import Baseline, Entry, Standing, compare, renewed
from dbops.findings.finding import Finding, Owner, Ownership, Severity
from dbops.findings.ignores import Ignore, set_aside, unused
from dbops.findings.report import CheckResult, Ignored, Outcome, Report
from tests.render.reports import a_finding, a_report, a_target, against_a_baseline

THEN, NOW = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)
CHECK = "unindexed_foreign_key"


def a_baseline(*findings: Finding, database: str = "default") -> Baseline:
    return Baseline(written_at=THEN, entries=tuple(Entry.of(finding, database) for finding in findings))


def held(report: Report, baseline: Baseline) -> Report:
    comparison = compare(
        baseline,
        report.target.name,
        findings=report.findings,
        ignored=(one.finding for one in report.ignored),
        judged=report.judged,
    )
    return replace(report, comparison=comparison)


@pytest.mark.parametrize(
    ("before", "now", "standing"),
    [
        (Severity.WARNING, Severity.WARNING, Standing.KNOWN),
        (Severity.CRITICAL, Severity.INFO, Standing.KNOWN),
        (Severity.INFO, Severity.WARNING, Standing.WORSE),
        (Severity.WARNING, Severity.CRITICAL, Standing.WORSE),
    ],
)
def test_a_finding_is_known_unless_it_became_worse(before: Severity, now: Severity, standing: Standing) -> None:
    finding = a_finding(severity=now)

    report = held(a_report(finding), a_baseline(a_finding(severity=before)))

    assert report.standing(finding) is standing
    assert report.failing(Severity.INFO) == (() if standing is Standing.KNOWN else (finding,))
    assert bool(report.notes(finding)) is (standing is Standing.WORSE)


def test_a_finding_stays_known_when_its_numbers_or_its_owner_change() -> None:
    finding = a_finding(message="2 rows", evidence={"rows": 2}, owner=Owner(ownership=Ownership.SERVER))

    report = held(a_report(finding), a_baseline(a_finding(message="1 row", evidence={"rows": 1})))

    assert report.is_known(finding)


def test_another_database_check_or_target_is_new() -> None:
    finding = a_finding()

    for other in (
        a_baseline(finding, database="replica"),
        a_baseline(a_finding(check="duplicate_index")),
        a_baseline(a_finding("public.other")),
        a_baseline(),
    ):
        report = held(a_report(finding), other)
        assert report.standing(finding) is Standing.NEW
        assert report.failing(Severity.WARNING) == (finding,)


def test_without_a_baseline_nothing_is_known_and_all_of_it_counts() -> None:
    finding = a_finding()

    assert a_report(finding).standing(finding) is None
    assert a_report(finding).failing(Severity.WARNING) == (finding,)
    assert a_report(finding).failing(None) == ()


def test_the_score_is_that_of_all_findings() -> None:
    report = a_report(a_finding())

    assert held(report, a_baseline(a_finding())).score == report.score


def test_what_its_check_no_longer_finds_is_gone() -> None:
    gone = a_finding("public.gone")

    report = held(a_report(a_finding()), a_baseline(gone, a_finding()))

    assert report.comparison is not None
    assert report.comparison.gone == (Entry.of(gone, "default"),)


def test_what_is_ignored_is_not_gone() -> None:
    finding = a_finding()

    report = held(a_report(ignored=(Ignored(finding=finding, reason="so", until=None),)), a_baseline(finding))

    assert report.comparison is not None
    assert report.comparison.gone == ()


def result(outcome: Outcome, reason: str | None = None) -> tuple[CheckResult, ...]:
    return tuple(replace(one, outcome=outcome, reason=reason) for one in a_report().results if one.check == CHECK)


@pytest.mark.parametrize(
    "report",
    [
        a_report(results=()),
        a_report(results=result(Outcome.SKIPPED, "no rights")),
        a_report(results=result(Outcome.CRASHED, "KeyError")),
        a_report(results=result(Outcome.FOUND, "no SELECT on public.b")),
        a_report(interrupted="the connection was lost"),
        a_report(unseen=("public.big is locked",)),
        a_report(target=a_target(alias="replica")),
    ],
    ids=["left out", "skipped", "crashed", "partly seen", "interrupted", "locked", "another database"],
)
def test_what_was_not_judged_is_neither_gone_nor_makes_an_ignore_unused(report: Report) -> None:
    compared = held(report, a_baseline(a_finding()))

    assert compared.comparison is not None
    assert compared.comparison.gone == ()
    if report.target.name == "default":
        assert unused([Ignore(check=CHECK, target="*", reason="so")], [report]) == ()


# renewing


def test_a_renewed_baseline_has_what_was_found_in_a_stable_order() -> None:
    found = [Entry.of(a_finding(name), database) for name in ("b", "a") for database in ("two", "one")]

    baseline = renewed(None, found, (), now=NOW)

    assert baseline.written_at == NOW
    assert [(entry.database, entry.target) for entry in baseline.entries] == [
        ("one", "a"),
        ("one", "b"),
        ("two", "a"),
        ("two", "b"),
    ]
    assert renewed(None, reversed(found), (), now=NOW) == baseline


def test_a_renewed_baseline_loses_what_is_gone_and_keeps_what_was_not_judged() -> None:
    gone, elsewhere, worse = a_finding("gone"), a_finding("elsewhere"), a_finding("worse", severity=Severity.CRITICAL)
    old = a_baseline(gone, elsewhere, a_finding("worse"))

    baseline = renewed(old, [Entry.of(worse, "default")], [Entry.of(gone, "default")], now=NOW)

    assert [(entry.target, entry.severity) for entry in baseline.entries] == [
        ("elsewhere", Severity.WARNING),
        ("worse", Severity.CRITICAL),
    ]


def test_the_report_for_the_faces_has_every_standing() -> None:
    report = against_a_baseline()

    assert [report.standing(finding) for finding in report.findings] == [Standing.NEW, Standing.WORSE, Standing.KNOWN]


# ignores


def test_an_ignore_in_force_wins_over_one_that_has_expired() -> None:
    finding = a_finding()
    old = Ignore(check=CHECK, target="*", reason="old", until=date(2026, 1, 1))
    current = Ignore(check=CHECK, target="public.*", reason="current", until=date(2027, 1, 1))

    done = set_aside([finding], [old, current], date(2026, 6, 1))

    assert ([one.reason for one in done.ignored], done.kept, done.expired) == (["current"], (), ())


def test_a_finding_whose_ignore_has_expired_is_back_with_a_note() -> None:
    finding = a_finding()
    done = set_aside([finding], [Ignore(check=CHECK, target="*", reason="old", until=date(2026, 1, 1))], NOW.date())

    report = a_report(*done.kept, expired=done.expired)

    assert report.failing(Severity.WARNING) == (finding,)
    assert report.notes(finding) == ("its ignore expired on 2026-01-01: old",)


def test_an_ignore_is_unused_when_no_database_needs_it() -> None:
    needed = Ignore(check=CHECK, target="public.task*", reason="a")
    needed_twice = Ignore(check=CHECK, target="*", reason="b")
    idle = Ignore(check=CHECK, target="public.other*", reason="c")
    ignored = Ignored(finding=a_finding(), reason="a", until=None)

    reports = [a_report(), a_report(target=a_target(alias="other"), ignored=(ignored,))]

    assert unused([needed, needed_twice, idle], reports) == (idle,)
    assert unused([needed, idle], reports[:1]) == (needed, idle)


def test_an_expired_ignore_that_still_matches_is_not_called_unused() -> None:
    ignore = Ignore(check=CHECK, target="*", reason="old", until=date(2026, 1, 1))

    assert unused([ignore], [a_report(a_finding())]) == ()
