"""What reports come to: held against a baseline, the ignores that nothing needs, the code that a command ends with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from dbops.conf import config
from dbops.findings.baseline import Entry, compare, renewed
from dbops.findings.finding import Severity
from dbops.findings.ignores import unused
from dbops.findings.report import Outcome
from dbops.management.command import Exit

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dbops.findings.baseline import Baseline
    from dbops.findings.ignores import Ignore
    from dbops.findings.report import Report

#: The value of --fail-on at which no finding fails a build.
NEVER: Final = "never"


def failing_severity(options: Mapping[str, Any]) -> Severity | None:
    """Return from which severity on findings end with 1; None when none does.

    What is just being written into a first baseline is accepted by that.
    """
    is_accepted = options["write_baseline"] is not None and options["baseline"] is None
    return None if options["fail_on"] == NEVER or is_accepted else Severity(options["fail_on"])


def held_against(baseline: Baseline, report: Report, *, app_labels: Collection[str]) -> Report:
    """Return `report` with how its findings stand to `baseline`; of a part of the apps nothing is gone."""
    comparison = compare(
        baseline,
        report.target.name,
        findings=report.findings,
        ignored=(ignored.finding for ignored in report.ignored),
        judged=frozenset() if app_labels else report.judged,
    )
    return replace(report, comparison=comparison)


def next_baseline(old: Baseline | None, reports: Sequence[Report]) -> Baseline:
    """Return the baseline of `reports`, which keeps of the `old` one what they could not judge."""
    found = [Entry.of(finding, report.target.name) for report in reports for finding in report.findings]
    gone = [entry for report in reports if report.comparison for entry in report.comparison.gone]
    return renewed(old, found, gone, now=datetime.now(UTC))


def unused_ignores(reports: Sequence[Report], *, app_labels: Collection[str]) -> tuple[Ignore, ...]:
    """Return the ignores that no database of the setting needs; none unless all of them were looked at in full."""
    settings = config()
    if app_labels or not set(settings.databases) <= {report.target.alias for report in reports}:
        return ()
    return unused(settings.ignores, reports)


def is_whole(report: Report) -> bool:
    """Return whether the look and every check went through to their end."""
    return report.interrupted is None and not report.outcomes(Outcome.CRASHED)


def exit_code(report: Report, fail_on: Severity | None, *, is_strict: bool) -> Exit:
    """Return what one report alone would end with."""
    codes = set()
    if not is_whole(report):
        codes.add(Exit.FAILED)
    if report.failing(fail_on):
        codes.add(Exit.FOUND)
    if is_strict and (report.unseen or any(result.reason is not None for result in report.results)):
        codes.add(Exit.INCOMPLETE)
    return Exit.worst(codes)
