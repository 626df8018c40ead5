"""A report for a person: good or bad news first, then the worst, what to do about it, and what was not seen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Severity
from dbops.render.advice import STYLES, Advice
from dbops.render.blocks import blocks, split
from dbops.render.coverage import add_coverage, add_score
from dbops.render.decisions import add_decisions
from dbops.render.gaps import gaps
from dbops.render.page import Page, styled
from dbops.snapshot.amounts import format_bytes, format_seconds, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dbops.findings.finding import Finding
    from dbops.findings.report import Report


_NOUNS: Final = {
    Severity.CRITICAL: ("critical", "critical"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.INFO: ("remark", "remarks"),
}


def render(
    report: Report,
    *,
    width: int = 100,
    colour: bool = False,
    encoding: str = "utf-8",
    verbosity: int = 1,
    scope: str | None = None,
    grants: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Return `report` as text of `width` cells, which only code and long names exceed.

    `verbosity` 2 leaves nothing at a count and adds each fix's undo, 3 adds evidence and fingerprints. `scope` says
    in words to what the look was limited, for what was left out must not pass for healthy. `grants` has, by check, the
    statements that let `{role}` see what the check needs in `{schema}`: shown where rights were missing.
    """
    page = Page(width=width, colour=colour)
    known = [finding for finding in report.findings if report.is_known(finding)]
    shown, others = split(finding for finding in report.findings if not report.is_known(finding))
    page.items(styled((_name(report), "bold"), " · "), _facts(report), separator=" · ", hanging=2)
    if scope:
        page.prose(scope, indent=2)
    page.blank()
    _verdict(page, report, shown)
    advice = Advice(page, report, verbosity=verbosity)
    for block in blocks(shown):
        advice.block(block)
    if others and verbosity > 1:
        page.blank()
        page.line(styled(("On tables of contrib and third-party apps", "bold"), ", theirs to mend:"))
        for block in blocks(others):
            advice.block(block)
    if known and verbosity > 1:
        page.blank()
        page.line(styled(("Known", "bold"), ", for the baseline has them:"))
        for block in blocks(known):
            advice.block(block)
    page.blank()
    add_score(page, report)
    add_coverage(page, report, shown, others, grants or {}, is_complete=verbosity > 1)
    add_decisions(page, report, known, is_complete=verbosity > 1)
    if shown or (others and verbosity > 1):
        page.line(styled(("why, and how to fix it: ", "dim"), "manage.py dbanalyze --explain CHECK"))
    return page.text(encoding)


def _name(report: Report) -> str:
    target = report.target
    if target.alias in {None, target.database}:
        return target.database
    return f"{target.alias} ({target.database})"


def _facts(report: Report) -> list[str]:
    target = report.target
    facts = []
    if target.server_version is not None:
        facts.append(f"PostgreSQL {target.server_version}" + (", a standby" if target.is_standby else ""))
    if target.table_count is not None:
        size = "" if target.size_bytes is None else f", {format_bytes(target.size_bytes)}"
        facts.append(plural(target.table_count, "table") + size)
    if target.window is not None:
        begin, end, source = target.window
        facts.append(f"counters of {format_seconds((end - begin).total_seconds())} ({source})")
    duration_ms = report.duration_ms
    facts.append(f"looked for {duration_ms} ms" if duration_ms < 100 else f"looked for {duration_ms / 1000:.1f} s")
    facts.append(f"{report.taken_at:%Y-%m-%d %H:%M %Z}".rstrip())
    return facts


def _verdict(page: Page, report: Report, shown: Sequence[Finding]) -> None:
    """Add what it comes to, before anything else."""
    if report.interrupted is not None:
        page.prose(styled(("INTERRUPTED: ", "bold red"), report.interrupted), hanging=2)
        page.prose("Only a part was looked at: what is not named below may be wrong all the same.", indent=2)
        page.blank()
    if report.score is None:
        page.prose(styled(("NOTHING WAS LOOKED AT: ", "bold red"), "this says nothing about the database's health."))
    elif shown:
        counts = Counter(finding.severity for finding in shown)
        parts: list[str | tuple[str, str]] = []
        for severity, noun in _NOUNS.items():
            if counts[severity]:
                parts += [", " if parts else "", (plural(counts[severity], *noun), STYLES[severity])]
        page.line(styled(*parts, *([", new or worse"] if report.comparison else [])))
    elif report.target.table_count == 0:
        page.prose("There is no table in this database, so none has a fault. Is it the right one, and migrated?")
    else:
        nothing = f"Nothing {'new' if report.comparison and report.findings else 'wrong'} was found"
        if gaps(report):
            page.line(styled(f"{nothing} in what could be seen. ", ("Not all could be:", "bold yellow"), " see below."))
        else:
            page.line(styled((f"{nothing}.", "bold green")))
