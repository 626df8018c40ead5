"""A report for a pull request or a wiki, in GitHub flavoured Markdown: what is wrong in view, how to mend it folded."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Confidence, Severity
from dbops.render.blocks import blocks, split
from dbops.render.decisions import gone_lines, unused_lines
from dbops.render.gaps import gaps
from dbops.render.markup import block, code, prose
from dbops.render.remedies import also, remedies
from dbops.snapshot.amounts import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dbops.findings.finding import Finding
    from dbops.findings.ignores import Ignore
    from dbops.findings.report import Report, Score

#: How many findings are shown in full: a comment on GitHub holds 65,536 characters.
MOST: Final = 40
_HEADINGS: Final = {Severity.CRITICAL: "Critical", Severity.WARNING: "Warnings", Severity.INFO: "Remarks"}


def render(reports: Sequence[Report], *, scope: str | None = None, unused: Iterable[Ignore] = ()) -> str:
    """Return `reports` as Markdown: a table of all databases, then each. `scope` says to what the look was limited."""
    parts = ["## Database report"]
    if scope:
        parts.append(f"Limited: {prose(scope)}.")
    parts.append(_overview(reports))
    for report in reports:
        parts += _report(report, is_alone=len(reports) == 1)
    stale = unused_lines(unused)
    if stale:
        parts += ["### Unused ignores", _list(stale)]
    return "\n\n".join(parts) + "\n"


def _overview(reports: Sequence[Report]) -> str:
    columns = ["database", "score", "critical", "warnings", "remarks", "known", "ignored", "not seen"]
    rows = [
        "| " + " | ".join(columns) + " |",
        "|---|" + "--:|" * (len(columns) - 1),
    ]
    for report in reports:
        counts = Counter(finding.severity for finding in report.findings if not report.is_known(finding))
        numbers = [
            *(counts[severity] for severity in _HEADINGS),
            sum(report.is_known(finding) for finding in report.findings),
            len(report.ignored),
            len(gaps(report)),
        ]
        value = "none" if report.score is None else f"{report.score.value}/100"
        rows.append("| " + " | ".join([code(report.target.name, in_table=True), value, *map(str, numbers)]) + " |")
    return "\n".join(rows)


def _report(report: Report, *, is_alone: bool) -> Iterator[str]:
    if not is_alone:
        yield f"### {code(report.target.name)}"
    unseen = gaps(report)
    if any(gap.is_failure for gap in unseen):
        failures = "\n".join(f"> - {prose(str(gap))}" for gap in unseen if gap.is_failure)
        yield f"> [!CAUTION]\n> Not all was judged: what is not named here may be wrong all the same.\n>\n{failures}"
    shown, others = split(finding for finding in report.findings if not report.is_known(finding))
    ordered = [finding for together in blocks(shown) for finding in together.findings]
    in_full = ordered[:MOST]
    for severity, heading in _HEADINGS.items():
        here = [finding for finding in in_full if finding.severity is severity]
        if here:
            yield f"#### {heading}"
            yield from (_finding(finding, report) for finding in here)
    if len(ordered) > MOST:
        yield f"And {plural(len(ordered) - MOST, 'more finding')}: {_counted(ordered[MOST:])}."
    if not shown:
        yield _nothing(report)
    if others:
        what = plural(len(others), "remark")
        yield f"On tables of contrib or third-party apps: {what} ({_counted(others)})."
    known = [finding for finding in report.findings if report.is_known(finding)]
    if known:
        yield _folded(f"{plural(len(known), 'finding')} known to the baseline", _list(map(_named, known)))
    yield from _decisions(report)
    skipped = [str(gap) for gap in unseen if not gap.is_failure]
    if skipped:
        yield f"#### Not looked at\n\n{_list(skipped)}"
    yield _scores(report)


def _decisions(report: Report) -> Iterator[str]:
    if report.ignored:
        lines = [
            f"{_named(one.finding)}: {one.reason}" + (f" (until {one.until})" if one.until else "")
            for one in report.ignored
        ]
        yield _folded(f"{plural(len(report.ignored), 'finding')} ignored", _list(lines))
    if report.expired:
        lines = [f"{_named(one.finding)}: until {one.until}, {one.reason}" for one in report.expired]
        yield f"#### Expired ignores\n\n{_list(lines)}"
    gone = gone_lines(report)
    if gone:
        yield f"#### Gone from the database\n\n{_list(gone)}"


def _finding(finding: Finding, report: Report) -> str:
    owner = ".".join(part for part in (finding.owner.model, finding.owner.field) if part)
    owner += f" ({finding.owner.migration})" if finding.owner.migration else ""
    parts = [f"**{code(finding.check)}** {code(finding.target.name)}" + (f" {prose(owner)}" if owner else "")]
    doubt = "" if finding.confidence is Confidence.HIGH else f" ({finding.confidence} confidence, {finding.basis})"
    parts.append(f"{prose(finding.message)}{doubt}")
    parts += [f"**{prose(note)}**" for note in report.notes(finding)]
    details = []
    if finding.evidence:
        details.append(" · ".join(f"{code(name)} {prose(str(value))}" for name, value in finding.evidence.items()))
    if finding.rolled_up:
        details.append(f"The same: {prose(also(finding))}")
    if finding.fix is not None and finding.fix.caution:
        details.append(f"**Caution:** {prose(finding.fix.caution)}")
    for remedy in remedies(finding):
        details += [
            f"{remedy.heading[:1].upper()}{prose(remedy.heading[1:])}:",
            block(remedy.beginning, remedy.language),
        ]
    if finding.fix is None:
        details.append(f"What to do: {code(f'manage.py dbanalyze --explain {finding.check}')}")
    summary = "Evidence and fix" if finding.evidence else "Fix"
    parts.append(_folded(summary, "\n\n".join(details)))
    return "\n\n".join(parts)


def _nothing(report: Report) -> str:
    if report.score is None:
        return "**Nothing was looked at**: this says nothing about the database's health."
    if report.target.table_count == 0:
        return "There is no table in this database, so none has a fault. Is it the right one, and migrated?"
    what = "new" if report.comparison is not None and report.findings else "wrong"
    return f"Nothing {what} was found{' in what could be seen' if gaps(report) else ''}."


def _scores(report: Report) -> str:
    if report.score is None:
        return "No score: no check could look."
    scores = (("now", "the running database", report.now), ("wear", "the schema and settings", report.wear))
    lines = [f"{name}, {of}: {_terms(score)}" for name, of, score in scores]
    return f"Score **{report.score.value}/100**\n\n{_list(lines)}"


def _terms(score: Score | None) -> str:
    if score is None:
        return "not looked at"
    terms = "".join(f" − {term.points:g} {term.check}" for term in score.terms)
    capped = f" (capped by {score.capped_by})" if score.capped_by else ""
    return f"{score.value}" + (f" = 100{terms}{capped}" if terms else "")


def _named(finding: Finding) -> str:
    return f"{finding.check} {finding.target}"


def _counted(findings: Iterable[Finding]) -> str:
    counts = Counter(finding.check for finding in findings).most_common()
    return ", ".join(f"{code(check)} {count:,}" for check, count in counts)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {prose(line)}" for line in lines)


def _folded(summary: str, content: str) -> str:
    """Return `content` behind a line to click on. The empty lines make Markdown of what is inside HTML."""
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"
