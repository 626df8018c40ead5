"""The life of findings over looks that are kept: new, still there since, worse, gone, and back again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, ProgrammingError

from dbops.errors import DbopsError, UsageError
from dbops.findings.comparison import Change
from dbops.findings.finding import Confidence, Severity, Tag
from dbops.findings.report import CheckResult, Outcome, Past
from dbops.history import episodes
from dbops.history.episodes import UNSEEN_FOR, past_of, side_at, with_past
from dbops.history.storage import EACH_KEPT_FOR, KEPT_FOR, store
from dbops.models import Episode, Finding, Look
from tests.render.reports import a_finding, a_report

if TYPE_CHECKING:
    from dbops.findings.report import Report

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 20, 12, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CHECK = "unused_index"


def looked(at: datetime, *targets: str, severity: Severity = Severity.WARNING, **values: Any) -> Report:
    """A report of `at` in which one check looked at everything and found `targets`; kept as one of `default`."""
    findings = tuple(a_finding(target, CHECK, severity=severity, confidence=Confidence.HIGH) for target in targets)
    outcome = Outcome.FOUND if findings else Outcome.OK
    report = a_report(*findings, results=(CheckResult(check=CHECK, tag=Tag.LIVE, outcome=outcome),), **values)
    return replace(report, taken_at=at, target=replace(report.target, alias="default"))


def keep(report: Report) -> Report:
    report = with_past(report)
    store(Look.objects.create(alias="default", started_at=report.taken_at), report)
    return report


def ages(report: Report) -> dict[str, datetime | None]:
    return {finding.target.name: report.first_seen_at(finding) for finding in report.findings}


def new(report: Report) -> list[str]:
    return [finding.target.name for finding in report.findings if report.is_new(finding)]


def test_before_anything_was_kept_nothing_is_new() -> None:
    report = with_past(looked(NOON, "a"))
    assert report.past is None
    assert (ages(report), new(report)) == ({"a": None}, [])


def test_what_is_there_still_was_first_seen_when_it_came() -> None:
    keep(looked(NOON, "a"))
    keep(looked(NOON + HOUR, "a", "b"))
    report = with_past(looked(NOON + 2 * HOUR, "a", "b", "c"))
    assert ages(report) == {"a": NOON, "b": NOON + HOUR, "c": NOON + 2 * HOUR}
    assert new(report) == ["c"]
    assert report.notes(report.findings[2]) == ("new",)
    assert report.notes(report.findings[0]) == ()


def test_since_a_moment_more_is_new_and_what_was_there_then_is_gone() -> None:
    keep(looked(NOON, "a", "b"))
    keep(looked(NOON + HOUR, "a", "c"))
    report = with_past(looked(NOON + 2 * HOUR, "a", "c"), since=NOON + timedelta(minutes=30))
    assert new(report) == ["c"]
    assert isinstance(report.past, Past)
    assert [entry.target for entry in report.gone] == ["b"]
    assert replace(report, interrupted="the connection was lost").gone == ()


def test_what_is_gone_and_comes_back_is_new() -> None:
    keep(looked(NOON, "a"))
    keep(looked(NOON + HOUR))
    assert [one.ended_at for one in Episode.objects.all()] == [NOON + HOUR]
    report = keep(looked(NOON + 2 * HOUR, "a"))
    assert new(report) == ["a"]
    assert Episode.objects.count() == 2


def test_what_its_check_could_not_look_for_is_not_gone() -> None:
    keep(looked(NOON, "a", "b"))
    skipped = (CheckResult(check=CHECK, tag=Tag.LIVE, outcome=Outcome.SKIPPED, reason="no right"),)
    keep(replace(looked(NOON + HOUR), results=skipped))
    keep(replace(looked(NOON + 2 * HOUR), interrupted="the connection was lost"))
    keep(replace(looked(NOON + 3 * HOUR), unseen=("public.task is locked",)))
    assert Episode.objects.filter(ended_at=None).count() == 2
    assert ages(with_past(looked(NOON + 4 * HOUR, "a"))) == {"a": NOON}
    keep(replace(looked(NOON + UNSEEN_FOR + HOUR), results=skipped))
    assert Episode.objects.filter(ended_at=None).count() == 0


def test_what_became_worse_is_as_old_as_before() -> None:
    keep(looked(NOON, "a"))
    keep(looked(NOON + HOUR, "a", severity=Severity.CRITICAL))
    report = with_past(looked(NOON + 2 * HOUR, "a", severity=Severity.CRITICAL))
    assert ages(report) == {"a": NOON}
    found = [(one.severity, one.began_at, one.ended_at) for one in Episode.objects.order_by("began_at")]
    assert found == [("warning", NOON, NOON + HOUR), ("critical", NOON + HOUR, None)]


def test_an_ignored_finding_lives_on() -> None:
    from dbops.findings.report import Ignored

    keep(looked(NOON, "a"))
    report = looked(NOON + HOUR, "a")
    ignored = tuple(Ignored(finding=one, reason="so", until=None) for one in report.findings)
    keep(replace(report, findings=(), ignored=ignored))
    assert ages(with_past(looked(NOON + 2 * HOUR, "a"))) == {"a": NOON}


def test_two_moments_are_compared() -> None:
    keep(looked(NOON, "gone", "same", "worse"))
    worse = looked(NOON + DAY, "worse", severity=Severity.CRITICAL)
    rest = looked(NOON + DAY, "new", "same")
    keep(replace(rest, findings=(*worse.findings, *rest.findings)))
    change = Change(database="default", before=side_at("default", NOON), after=side_at("default", NOON + 2 * DAY))
    assert [one.target for one in change.new] == ["new"]
    assert [one.target for one in change.gone] == ["gone"]
    assert [one.target for one in change.same] == ["same"]
    assert [(one.severity, other.severity) for one, other in change.worse] == [("warning", "critical")]
    assert change.better == ()
    assert (change.before.taken_at, change.after.taken_at) == (NOON, NOON + DAY)
    assert (change.before.score, change.after.score) == (90, 70)
    back = Change(database="default", before=change.after, after=change.before)
    assert [one.target for _, one in back.better] == ["worse"]


def test_before_the_first_look_there_is_nothing_to_compare() -> None:
    with pytest.raises(UsageError) as refused:
        side_at("default", NOON)
    assert "dbsnapshot" in str(refused.value.hint)
    keep(looked(NOON, "a"))
    with pytest.raises(UsageError, match="no look at default was kept before 2026-01-20 11:30") as refused:
        side_at("default", NOON - HOUR)
    assert "2026-01-20 12:30" in str(refused.value.hint)


def test_of_earlier_looks_the_scores_are_kept_and_thinned_out() -> None:
    at = NOON - KEPT_FOR - 2 * DAY
    old = [at, at + HOUR]
    middle = [NOON - EACH_KEPT_FOR - 2 * DAY + number * HOUR for number in range(3)]
    late = [NOON - 2 * DAY + number * HOUR for number in range(3)]
    for moment in (*old, *middle, *late, NOON):
        keep(looked(moment, "a"))
    kept = list(Look.objects.order_by("started_at").values_list("started_at", flat=True))
    assert kept == [middle[0], *late, NOON]
    assert all((look.report or {})["score"]["value"] == 95 for look in Look.objects.all())
    assert Finding.objects.count() == 1


def test_a_history_that_cannot_be_read_is_no_past(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(episodes, "past_of", fail)
    assert with_past(looked(NOON, "a")).past is None
    monkeypatch.undo()
    assert past_of("default") is None


@pytest.mark.parametrize(
    ("error", "said", "hint"),
    [(ProgrammingError("no table"), "are not there", "migrate"), (DatabaseError("gone\nfar"), "read: gone", None)],
)
def test_looks_that_cannot_be_read_are_no_crash(
    error: Exception, said: str, hint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(episodes, "_side_at", fail)
    with pytest.raises(DbopsError, match=said) as refused:
        side_at("default", NOON)
    assert (hint or "") in (refused.value.hint or "")
