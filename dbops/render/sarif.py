"""SARIF 2.1.0 for code scanning: one run per database, one rule per check.

GitHub refuses a whole file in which any result has no file, so a finding that lies in none is shown at the `fallback`.
Of the fingerprints it reads `primaryLocationLineHash` alone.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from dbops.findings.baseline import Standing
from dbops.findings.finding import Kind, Severity
from dbops.findings.report import Outcome
from dbops.render import markup
from dbops.render.decisions import gone_lines, unused_lines
from dbops.render.gaps import gaps
from dbops.render.remedies import also, in_words, remedies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dbops.findings.finding import Finding, Owner
    from dbops.findings.ignores import Ignore
    from dbops.findings.report import Ignored, Report
    from dbops.findings.source import Place, Source
    from dbops.render.catalogue import Described

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT: Final = "%SRCROOT%"
_LEVELS: Final = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_STATES: Final = {Standing.NEW: "new", Standing.WORSE: "updated", Standing.KNOWN: "unchanged"}
#: The words that SARIF itself has for parts of a program (3.33.7); the others are ours, as it allows.
_KINDS: Final = {Kind.FUNCTION: "function", Kind.SCHEMA: "namespace"}
#: GitHub's limit for a rule's description.
_MAX_DESCRIPTION: Final = 1024


def render(
    reports: Sequence[Report],
    *,
    version: str,
    checks: Mapping[str, Described],
    source: Callable[[Owner], Source],
    fallback: Place,
    scope: str | None = None,
    unused: Iterable[Ignore] = (),
) -> str:
    """Return `reports` as one SARIF document in ASCII.

    `checks` describes the rules; `source` tells where an owner is written. `scope` says to what the look was limited.
    """
    notes = [*([f"limited to {scope}"] if scope else []), *unused_lines(unused)]
    runs = [_Run(report, checks, source, fallback).document(version, notes) for report in reports]
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": runs}, indent=2, allow_nan=False) + "\n"


class _Run:
    """One database's part of the document."""

    def __init__(
        self, report: Report, checks: Mapping[str, Described], source: Callable[[Owner], Source], fallback: Place
    ) -> None:
        self._report = report
        self._rules = [checks[result.check] for result in report.results]
        self._index = {rule.id: position for position, rule in enumerate(self._rules)}
        self._source = source
        self._fallback = fallback

    def document(self, version: str, notes: Iterable[str]) -> dict[str, Any]:
        report = self._report
        return {
            "tool": {
                "driver": {
                    "name": "dbops",
                    "version": version,
                    "semanticVersion": version,
                    "rules": [_rule(rule) for rule in self._rules],
                }
            },
            "automationDetails": {"id": f"dbops/{_quoted(report.target.name, '')}/"},
            "originalUriBaseIds": {_ROOT: {"description": {"text": "the root of the repository"}}},
            "invocations": [self._invocation(notes)],
            "results": [
                *(self._result(finding) for finding in report.findings),
                *(self._result(ignored.finding, ignored) for ignored in report.ignored),
            ],
        }

    def _invocation(self, notes: Iterable[str]) -> dict[str, Any]:
        report = self._report
        notifications = [self._notification(gap.reason, gap.check, is_failure=gap.is_failure) for gap in gaps(report)]
        notifications += [{"level": "note", "message": {"text": text}} for text in (*notes, *gone_lines(report))]
        return {
            "executionSuccessful": report.interrupted is None and not report.outcomes(Outcome.CRASHED),
            "startTimeUtc": f"{report.taken_at:%Y-%m-%dT%H:%M:%SZ}",
            "endTimeUtc": f"{report.taken_at + timedelta(milliseconds=report.duration_ms):%Y-%m-%dT%H:%M:%SZ}",
            "toolExecutionNotifications": notifications,
        }

    def _notification(self, text: str, check: str | None, *, is_failure: bool) -> dict[str, Any]:
        rule = {"associatedRule": {"id": check, "index": self._index[check]}} if check else {}
        return {"level": "error" if is_failure else "warning", "message": {"text": text}, **rule}

    def _result(self, finding: Finding, ignored: Ignored | None = None) -> dict[str, Any]:
        report, owner = self._report, finding.owner
        source, fingerprint = self._source(owner), finding.fingerprint(report.target.name)
        standing = report.standing(finding)
        optional: dict[str, Any] = {}
        if source.declared and source.migration:
            made = _physical(source.migration) | {"message": {"text": "made by this migration"}}
            optional["relatedLocations"] = [{"id": 1, **made}]
        if standing is not None:
            optional["baselineState"] = _STATES[standing]
        notes = report.notes(finding)
        return {
            "ruleId": finding.check,
            "ruleIndex": self._index[finding.check],
            "level": _LEVELS[finding.severity],
            "message": {
                "text": "\n".join([f"{finding.target}: {in_words(finding)}", *notes]),
                "markdown": _markdown(finding, notes),
            },
            "locations": [
                {
                    **_physical(source.first or self._fallback),
                    "logicalLocations": [
                        {
                            "fullyQualifiedName": finding.target.name,
                            "kind": _KINDS.get(finding.target.kind, finding.target.kind),
                        }
                    ],
                }
            ],
            "partialFingerprints": {"primaryLocationLineHash": fingerprint, "dbops/v1": fingerprint},
            "suppressions": _suppressions(ignored, is_known=standing is Standing.KNOWN),
            "properties": {
                "severity": finding.severity,
                "confidence": finding.confidence,
                "basis": finding.basis,
                "ownership": owner.ownership,
                "model": owner.model,
                "field": owner.field,
                "migration": owner.migration,
                "evidence": dict(finding.evidence),
                "rolled_up": list(finding.rolled_up),
            },
            **optional,
        }


def _rule(check: Described) -> dict[str, Any]:
    parts = {"": check.why, "How to fix it": check.remedy, "Not reported": check.unreported}
    texts = [(heading, text) for heading, text in parts.items() if text]
    why = " ".join((check.why.split("\n\n")[0] or check.summary).split())
    return {
        "id": check.id,
        "shortDescription": {"text": f"{check.summary}."},
        "fullDescription": {"text": why if len(why) <= _MAX_DESCRIPTION else f"{why[: _MAX_DESCRIPTION - 1]}…"},
        "help": {
            "text": "\n\n".join(f"{heading}:\n{text}" if heading else text for heading, text in texts),
            "markdown": "\n\n".join(f"**{heading}**\n\n{text}" if heading else text for heading, text in texts),
        },
        "properties": {"tags": ["database", check.tag]},
    }


def _markdown(finding: Finding, notes: Iterable[str]) -> str:
    """Return what `in_words` says, with the notes, as markdown."""
    parts = [f"{markup.code(finding.target.name)}: {markup.prose(finding.message)}", *map(markup.prose, notes)]
    if finding.rolled_up:
        parts.append(f"The same: {markup.prose(also(finding))}")
    if finding.fix is not None and finding.fix.caution:
        parts.append(f"**Caution:** {markup.prose(finding.fix.caution)}")
    for remedy in remedies(finding):
        parts += [f"{markup.prose(remedy.heading)}:", markup.block(remedy.beginning, remedy.language)]
    if finding.fix is None:
        parts.append(f"What to do: {markup.code(f'manage.py dbanalyze --explain {finding.check}')}")
    return "\n\n".join(parts)


def _suppressions(ignored: Ignored | None, *, is_known: bool) -> list[dict[str, str]]:
    if ignored is not None:
        until = f" (until {ignored.until})" if ignored.until else ""
        return [{"kind": "external", "status": "accepted", "justification": f"{ignored.reason}{until}"}]
    return [{"kind": "external", "status": "accepted", "justification": "the baseline has it"}] if is_known else []


def _physical(place: Place) -> dict[str, Any]:
    artifact = {"uri": _quoted(place.path, "/"), "uriBaseId": _ROOT}
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": place.line}}}


def _quoted(text: str, safe: str) -> str:
    """Return `text` with every character percent-encoded that has a meaning in a URI, or none."""
    kept = f"-._~{safe}"
    return "".join(
        one if one.isascii() and (one.isalnum() or one in kept) else "".join(f"%{byte:02X}" for byte in one.encode())
        for one in text
    )
