"""What people decided about findings, as text: the ignored and the known, and which of these decisions are stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.render.coverage import row
from dbops.render.page import Page
from dbops.snapshot.amounts import listed, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dbops.findings.finding import Finding
    from dbops.findings.ignores import Ignore
    from dbops.findings.report import Report

_MANY = 5


def add_decisions(page: Page, report: Report, known: Sequence[Finding], *, is_complete: bool) -> None:
    """Add what is ignored, `known` to the baseline, or gone from it; with `is_complete` nothing is left at a count."""
    if report.ignored:
        if is_complete:
            ignored = [
                f"{one.finding.check} {one.finding.target}: {one.reason}"
                + (f" (until {one.until})" if one.until else "")
                for one in report.ignored
            ]
        else:
            ignored = [f"{plural(len(report.ignored), 'finding')}, as somebody decided: -v says why"]
        row(page, "ignored", ignored)
    for one in report.expired:
        text = f"the ignore of {one.finding.check} {one.finding.target} ended on {one.until}: {one.reason}"
        row(page, "expired", [text], style="bold yellow")
    if known:
        row(page, "known", [f"{plural(len(known), 'finding')} that the baseline has" + ("" if is_complete else ": -v")])
    row(page, "gone", gone_lines(report, most=None if is_complete else _MANY))


def gone_lines(report: Report, *, most: int | None = None) -> list[str]:
    """Return what is no longer found, and so to be taken out of the baseline: one line of at most so many names."""
    todo = ": remove from the baseline" if report.comparison is not None else ""
    names = [f"{entry.check} {entry.target}" for entry in report.gone]
    return [f"{listed(names, most=most or len(names))}{todo}"] if names else []


def unused_lines(unused: Iterable[Ignore]) -> list[str]:
    """Return a line for each ignore that matched nothing in any database."""
    return [
        f"the ignore of {ignore.check} on {ignore.target} matched nothing: take it out ({ignore.reason})"
        for ignore in unused
    ]


def render_unused(unused: Iterable[Ignore], *, width: int = 100, colour: bool = False, encoding: str = "utf-8") -> str:
    """Return what follows the reports of all databases: the ignores that none of them needs."""
    page = Page(width=width, colour=colour)
    row(page, "unused", unused_lines(unused), style="bold yellow")
    return page.text(encoding)
