"""Annotations for GitHub Actions: workflow commands on standard output.

GitHub shows ten of each level per step, so the worst come first, and what was not seen before the remarks. The escapes
are those of @actions/core: `%`, carriage return and line feed everywhere, `:` and `,` in properties too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Severity
from dbops.render.blocks import split
from dbops.render.decisions import gone_lines, unused_lines
from dbops.render.gaps import gaps
from dbops.render.page import visible, visible_code
from dbops.render.remedies import in_words
from dbops.snapshot.amounts import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dbops.findings.finding import Finding, Owner
    from dbops.findings.ignores import Ignore
    from dbops.findings.report import Report
    from dbops.findings.source import Place, Source


def render(
    reports: Sequence[Report],
    *,
    fail_on: Severity | None,
    source: Callable[[Owner], Source],
    scope: str | None = None,
    unused: Iterable[Ignore] = (),
) -> str:
    """Return `reports` as annotations and a summary line for each.

    What fails a build at `fail_on` is an error, other warnings are warnings, the rest are notices. `source` tells where
    an owner is written.
    """
    lines: list[str] = []
    for report in reports:
        lines += _report(report, fail_on, source)
    stale = unused_lines(unused)
    if stale:
        lines.append(_command("notice", "\n".join(stale), title="dbops: unused ignores"))
    return "".join(f"{line}\n" for line in (*lines, *(_summary(report, fail_on, scope) for report in reports)))


def _report(report: Report, fail_on: Severity | None, source: Callable[[Owner], Source]) -> list[str]:
    failing = frozenset(map(id, report.failing(fail_on)))
    shown, _ = split(finding for finding in report.findings if not report.is_known(finding))
    errors = [finding for finding in shown if id(finding) in failing]
    rest = [finding for finding in shown if id(finding) not in failing]
    name, unseen = report.target.name, gaps(report)
    failures = [str(gap) for gap in unseen if gap.is_failure]
    skipped = [str(gap) for gap in unseen if not gap.is_failure]
    lines = [_command("error", "\n".join(failures), title=f"dbops {name}: not judged")] if failures else []
    lines += [_annotation("error", finding, report, source) for finding in errors]
    lines += [
        _annotation("warning", finding, report, source) for finding in rest if finding.severity is not Severity.INFO
    ]
    if skipped:
        lines.append(_command("notice", "\n".join(skipped), title=f"dbops {name}: not looked at"))
    gone = gone_lines(report)
    if gone:
        lines.append(_command("notice", "\n".join(gone), title=f"dbops {name}: stale baseline"))
    lines += [_annotation("notice", finding, report, source) for finding in rest if finding.severity is Severity.INFO]
    return lines


def _annotation(level: str, finding: Finding, report: Report, source: Callable[[Owner], Source]) -> str:
    place: Place | None = source(finding.owner).first
    where = {"file": place.path, "line": str(place.line)} if place else {}
    text = "\n".join([in_words(finding), *report.notes(finding)])
    return _command(level, text, title=f"{finding.check} {finding.target}", **where)


def _command(level: str, text: str, **properties: str) -> str:
    given = ",".join(f"{name}={_escaped(visible(value), ':,')}" for name, value in properties.items())
    return f"::{level} {given}::{_escaped(visible_code(text))}"


def _escaped(text: str, more: str = "") -> str:
    text = text.replace("%", "%25")
    for character in f"\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _summary(report: Report, fail_on: Severity | None, scope: str | None) -> str:
    known = sum(report.is_known(finding) for finding in report.findings)
    failing = len(report.failing(fail_on))
    unseen = gaps(report)
    parts = [
        f"{plural(failing, 'finding')} {'fails' if failing == 1 else 'fail'} this build",
        f"{plural(len(report.findings) - failing - known, 'other')}",
        *([f"{known} known"] if report.comparison else []),
        *([f"{len(report.ignored)} ignored"] if report.ignored else []),
        *([f"{plural(len(unseen), 'thing')} not seen"] if unseen else []),
        "no score" if report.score is None else f"score {report.score.value}/100",
        *([visible(scope)] if scope else []),
    ]
    return f"dbops {visible(report.target.name)}: {', '.join(parts)}"
