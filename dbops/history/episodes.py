"""The life of findings: new, still there since, gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import Error, ProgrammingError
from django.db.models import Q

from dbops.counters.store import limited
from dbops.errors import DbopsError, UsageError
from dbops.findings.baseline import Entry
from dbops.findings.comparison import Side
from dbops.findings.finding import Severity
from dbops.findings.report import Past
from dbops.models import Episode, Look

if TYPE_CHECKING:
    from datetime import datetime

    from dbops.findings.report import Report

#: How long a finding may go unseen, as its check could not look, before it counts as gone.
UNSEEN_FOR: Final = timedelta(days=42)
#: For how long it is kept what has gone.
KEPT_FOR: Final = timedelta(days=800)
_BATCH: Final = 500


def write_episodes(alias: str, report: Report) -> None:
    """Write which findings of DATABASES[alias] are there at `report`, which are not any more, and forget old ones.

    A finding is gone where its check has judged all that it is about. To be called in a transaction.
    """
    now = report.taken_at
    found = {finding.fingerprint(report.target.name): finding for finding in report.found}
    there = {one.fingerprint: one for one in Episode.objects.filter(alias=alias, ended_at=None)}
    changed = [
        one for one in there.values() if one.fingerprint in found and one.severity != found[one.fingerprint].severity
    ]
    gone = [one for one in there.values() if one.fingerprint not in found and _is_gone(one, report)]
    for one in (*changed, *gone):
        one.ended_at = now
    Episode.objects.bulk_update([*changed, *gone], ["ended_at"], batch_size=_BATCH)
    same = [one.pk for one in there.values() if one.fingerprint in found and one.ended_at is None]
    Episode.objects.filter(pk__in=same).update(seen_at=now)
    begun = [key for key in found if key not in there or there[key].ended_at is not None]
    Episode.objects.bulk_create(
        (
            Episode(
                alias=alias,
                fingerprint=key,
                check_name=found[key].check,
                kind=found[key].target.kind,
                target=found[key].target.name,
                severity=found[key].severity,
                first_seen_at=there[key].first_seen_at if key in there else now,
                began_at=now,
                seen_at=now,
            )
            for key in begun
        ),
        batch_size=_BATCH,
    )
    Episode.objects.filter(alias=alias, ended_at__lt=now - KEPT_FOR).delete()


def _is_gone(episode: Episode, report: Report) -> bool:
    return episode.check_name in report.judged or episode.seen_at < report.taken_at - UNSEEN_FOR


def past_of(alias: str, *, since: datetime | None = None) -> Past | None:
    """Return what is known of the findings of DATABASES[alias]; None where no look at it was kept.

    Raises:
        django.db.Error: it cannot be read.
    """
    if not Look.objects.filter(alias=alias, status=Look.Status.DONE).exists():
        return None
    first_seen_at = dict(Episode.objects.filter(alias=alias, ended_at=None).values_list("fingerprint", "first_seen_at"))
    gone = () if since is None else entries_at(alias, since)
    return Past(first_seen_at=first_seen_at, since=since, gone=gone)


def with_past(report: Report, *, since: datetime | None = None) -> Report:
    """Return `report` of an alias with what earlier looks found; as it is where that cannot be read.

    The look's own checks have said why their history could not be read, then.
    """
    try:
        with limited():
            return replace(report, past=past_of(report.target.name, since=since))
    except Error:
        return report


def side_at(alias: str, moment: datetime) -> Side:
    """Return what the last look at DATABASES[alias] before `moment` had found.

    Raises:
        UsageError: there was none.
        DbopsError: what was kept cannot be read.
    """
    try:
        with limited():
            return _side_at(alias, moment)
    except ProgrammingError as error:
        message = "no looks are kept: the tables for them are not there"
        raise DbopsError(message, hint="manage.py migrate makes them, manage.py dbsnapshot fills them") from error
    except Error as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        message = f"the looks that were kept cannot be read: {lines[0]}"
        raise DbopsError(message) from error


def _side_at(alias: str, moment: datetime) -> Side:
    looks = Look.objects.filter(alias=alias, status=Look.Status.DONE).order_by("started_at")
    last = looks.filter(started_at__lte=moment).last()
    if last is None or last.report is None:
        first = looks.first()
        message = f"no look at {alias} was kept before {moment:%Y-%m-%d %H:%M %Z}"
        hint = (
            "manage.py dbsnapshot keeps them"
            if first is None
            else f"the first that is kept is of {first.started_at:%Y-%m-%d %H:%M %Z}"
        )
        raise UsageError(message, hint=hint)
    return Side(
        asked_at=moment,
        taken_at=last.started_at,
        score=last.report["score"]["value"],
        entries=entries_at(alias, moment),
    )


def entries_at(alias: str, moment: datetime) -> tuple[Entry, ...]:
    """Return the findings of DATABASES[alias] that were there at `moment`, as severe as they were then."""
    there = Episode.objects.filter(Q(ended_at=None) | Q(ended_at__gt=moment), alias=alias, began_at__lte=moment)
    return tuple(
        Entry(
            fingerprint=one.fingerprint,
            check=one.check_name,
            target=one.target,
            kind=one.kind,
            database=alias,
            severity=Severity(one.severity),
        )
        for one in there.order_by("check_name", "target")
    )
