"""A report as rows, and rows as what every face shows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import router, transaction
from django.utils import timezone

from dbops import models
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Owner, Ownership, Severity, Tag, Target
from dbops.findings.fix import Fix
from dbops.findings.report import CheckResult, Outcome
from dbops.history.episodes import write_episodes
from dbops.render import json
from dbops.render.blocks import blocks, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, datetime

    from django.db.models import QuerySet

    from dbops.findings.report import Report

_BATCH: Final = 1_000
#: For how long every look's score is kept, and for how long one of each day.
EACH_KEPT_FOR: Final = timedelta(days=42)
KEPT_FOR: Final = timedelta(days=800)


def store(look: models.Look, report: Report) -> None:
    """Write `report` as what `look` came to; of earlier looks at the alias the scores alone are kept."""
    document = json.report_document(report)
    del document["findings"]
    with transaction.atomic(using=router.db_for_write(models.Look)):
        models.Finding.objects.bulk_create(_rows(look, report), batch_size=_BATCH)
        look.status, look.ended_at, look.report = models.Look.Status.DONE, timezone.now(), document
        look.save(update_fields=["status", "ended_at", "report"])
        write_episodes(look.alias, report)
        earlier = models.Look.objects.filter(alias=look.alias).exclude(pk=look.pk)
        models.Finding.objects.filter(look__in=earlier).delete()
        earlier.filter(status=models.Look.Status.FAILED).delete()
        _thin(earlier.filter(status=models.Look.Status.DONE), look.started_at)


def _thin(earlier: QuerySet[models.Look], now: datetime) -> None:
    """Delete looks that are too old, and after some weeks all but the first of each day."""
    earlier.filter(started_at__lt=now - KEPT_FOR).delete()
    days: set[date] = set()
    superfluous = []
    for pk, at in (
        earlier.filter(started_at__lt=now - EACH_KEPT_FOR).order_by("started_at").values_list("pk", "started_at")
    ):
        if at.date() in days:
            superfluous.append(pk)
        days.add(at.date())
    earlier.filter(pk__in=superfluous).delete()


def store_failure(look: models.Look, error: str) -> None:
    """Write why `look` came to nothing; the last one that did not fail stays."""
    with transaction.atomic(using=router.db_for_write(models.Look)):
        look.status, look.ended_at, look.error = models.Look.Status.FAILED, timezone.now(), error
        look.save(update_fields=["status", "ended_at", "error"])
        failed = models.Look.objects.filter(alias=look.alias, status=models.Look.Status.FAILED)
        failed.exclude(pk=look.pk).delete()


def results_of(look: models.Look) -> tuple[CheckResult, ...]:
    """Return how each check of a look that is done has ended."""
    return tuple(
        CheckResult(check=one["check"], tag=Tag(one["tag"]), outcome=Outcome(one["outcome"]), reason=one["reason"])
        for one in (look.report or {})["checks"]
    )


def finding_of(row: models.Finding) -> Finding:
    """Return the finding that was stored. Where it lay in the schema, and the change behind its fix, were not."""
    return Finding(
        check=row.check_name,
        target=Target(Kind(row.kind), row.target),
        message=row.message,
        severity=Severity(row.severity),
        confidence=Confidence(row.confidence),
        basis=Basis(row.basis),
        evidence=row.evidence,
        fix=None if row.fix is None else _fix(row.fix),
        rolled_up=tuple(row.rolled_up),
        is_red=row.is_red,
        owner=Owner(
            ownership=Ownership(row.ownership),
            app_label=row.app_label or None,
            model=row.model or None,
            field=row.field or None,
            migration=row.migration or None,
        ),
    )


def _fix(stored: dict[str, Any]) -> Fix:
    return Fix(**{**stored, "sql": tuple(stored["sql"]), "undo": tuple(stored["undo"])})


def _rows(look: models.Look, report: Report) -> Iterator[models.Finding]:
    """Iterate over the findings in the order of the report for a person, what that leaves at a count last."""
    position = 0
    for findings, is_folded in zip(split(report.findings), (False, True), strict=True):
        for finding in _in_order(findings):
            document = json.finding_document(finding, report)
            yield models.Finding(
                look=look,
                position=position,
                is_folded=is_folded,
                is_red=finding.is_red,
                check_name=finding.check,
                app_label=finding.owner.app_label or "",
                notes=list(report.notes(finding)),
                first_seen_at=report.first_seen_at(finding),
                **{name: document[name] or "" for name in ("model", "field", "migration")},
                **{name: document[name] for name in _AS_THEY_ARE},
            )
            position += 1


#: What the contract and the row call by one name.
_AS_THEY_ARE: Final = (
    "severity",
    "confidence",
    "basis",
    "ownership",
    "kind",
    "target",
    "message",
    "evidence",
    "rolled_up",
    "fix",
    "fingerprint",
)


def _in_order(findings: Iterable[Finding]) -> Iterator[Finding]:
    for block in blocks(findings):
        yield from block.findings
