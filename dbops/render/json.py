"""JSON for programs, in the shape of `docs/schemas/dbanalyze.schema.json`: keys are only ever added to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from dbops.findings.baseline import Entry
    from dbops.findings.finding import Finding
    from dbops.findings.fix import Fix
    from dbops.findings.ignores import Ignore
    from dbops.findings.report import Ignored, Report, ReportTarget, Score

SCHEMA_VERSION: Final = 1


def render(reports: Sequence[Report], *, generated_at: datetime, version: str, unused: Iterable[Ignore] = ()) -> str:
    """Return `reports` as one JSON document in ASCII, which survives every terminal and pipe.

    `unused` are the ignores that matched nothing in any of them.
    """
    document = {
        "schema": SCHEMA_VERSION,
        "tool": {"name": "dbops", "version": version},
        "generated_at": generated_at.isoformat(),
        "reports": [report_document(report) for report in reports],
        "ignores": {
            "expired": [_ignored(one, report.target.name) for report in reports for one in report.expired],
            "unused": [
                {
                    "check": ignore.check,
                    "target": ignore.target,
                    "reason": ignore.reason,
                    "until": ignore.until.isoformat() if ignore.until else None,
                }
                for ignore in unused
            ],
        },
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def report_document(report: Report) -> dict[str, Any]:
    """Return one report as an element of `reports`."""
    name = report.target.name
    return {
        "target": _target(report.target),
        "taken_at": report.taken_at.isoformat(),
        "duration_ms": report.duration_ms,
        "interrupted": report.interrupted,
        "score": {
            **(_score(report.score) or {"value": None, "capped_by": None, "terms": []}),
            "now": _score(report.now),
            "wear": _score(report.wear),
        },
        "checks": [
            {"check": result.check, "tag": result.tag, "outcome": result.outcome, "reason": result.reason}
            for result in report.results
        ],
        "findings": [finding_document(finding, report) for finding in report.findings],
        "ignored": [_ignored(ignored, name) for ignored in report.ignored],
        "gone": [entry_document(entry) for entry in report.gone] if report.is_held_against_something else None,
        "unseen": list(report.unseen),
    }


def _ignored(ignored: Ignored, database: str) -> dict[str, Any]:
    return {
        "fingerprint": ignored.finding.fingerprint(database),
        "check": ignored.finding.check,
        "target": ignored.finding.target.name,
        "reason": ignored.reason,
        "until": ignored.until,
    }


def entry_document(entry: Entry) -> dict[str, Any]:
    """Return what is written of a finding that is no longer there, or was at another moment."""
    return {
        "fingerprint": entry.fingerprint,
        "check": entry.check,
        "target": entry.target,
        "kind": entry.kind,
        "severity": entry.severity,
    }


def _target(target: ReportTarget) -> dict[str, Any]:
    window = None
    if target.window is not None:
        begin, end, source = target.window
        window = {"from": begin.isoformat(), "to": end.isoformat(), "source": source}
    return {
        "alias": target.alias,
        "database": target.database,
        "server_version": target.server_version,
        "is_standby": target.is_standby,
        "table_count": target.table_count,
        "size_bytes": target.size_bytes,
        "role": target.role,
        "window": window,
    }


def _score(score: Score | None) -> dict[str, Any] | None:
    if score is None:
        return None
    return {
        "value": score.value,
        "capped_by": score.capped_by,
        "terms": [{"check": term.check, "points": term.points} for term in score.terms],
    }


def finding_document(finding: Finding, report: Report) -> dict[str, Any]:
    """Return one finding as an element of a report's `findings`."""
    return {
        "check": finding.check,
        "target": finding.target.name,
        "kind": finding.target.kind,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "basis": finding.basis,
        "ownership": finding.owner.ownership,
        "model": finding.owner.model,
        "field": finding.owner.field,
        "migration": finding.owner.migration,
        "message": finding.message,
        "evidence": dict(finding.evidence),
        "fix": None if finding.fix is None else _fix(finding.fix),
        "fingerprint": finding.fingerprint(report.target.name),
        "first_seen_at": None if (first := report.first_seen_at(finding)) is None else first.isoformat(),
        "baseline": report.standing(finding),
        "rolled_up": list(finding.rolled_up),
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "sql": list(fix.sql),
        "undo": list(fix.undo),
        "operation": fix.operation,
        "in_transaction": fix.in_transaction,
        "caution": fix.caution,
    }
