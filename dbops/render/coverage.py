"""How well the database is, as text: the score term by term, what was looked at, and above all what was not."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from dbops.findings.report import Outcome
from dbops.render.page import styled
from dbops.snapshot.amounts import format_count, listed, plural
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dbops.findings.finding import Finding
    from dbops.findings.report import CheckResult, Report, Score
    from dbops.render.page import Page

_LABEL_CELLS: Final = 9
_TERMS_CELLS: Final = 12
_MANY: Final = 5
#: What a reason says when it was a right that was missing.
_NO_RIGHT: Final = re.compile("no SELECT|permission denied")


def add_score(page: Page, report: Report) -> None:
    """Add both scores with what each is made of; without any look there is none."""
    if report.score is None:
        page.line(styled(("no score", "bold red"), ": no check could look"))
        return
    scores = (("now", "the running database", report.now), ("wear", "the schema and settings", report.wear))
    is_spotless = all(score is not None and score.value == 100 for _, _, score in scores)
    partial = " of the part that was seen: INTERRUPTED" if report.interrupted else ""
    total = styled((f"score {report.score.value}/100", "bold"), (partial, "bold red"))
    if is_spotless:
        page.line(total + styled("  ", ("now 100 · wear 100", "dim")))
        return
    page.line(total + styled("" if None in {report.now, report.wear} else ", the lower of"))
    for name, of, score in scores:
        if score is None:
            page.line(styled((f"  {name:5}  -  ", "bold"), f"{of} was not looked at"))
        else:
            page.items(
                styled((f"  {name:5}{score.value:>3}  ", "bold"), of), _terms(score), separator="", hanging=_TERMS_CELLS
            )


def add_coverage(
    page: Page,
    report: Report,
    shown: Sequence[Finding],
    others: Sequence[Finding],
    grants: Mapping[str, Sequence[str]],
    *,
    is_complete: bool,
) -> None:
    """Add how the checks ended and what could not be seen; with `is_complete` nothing is left at a count.

    `shown` are the findings that were, `others` those left at a count; `grants` as for `text.render`.
    """
    by_outcome = {outcome: report.outcomes(outcome) for outcome in Outcome}
    page.line(styled((plural(len(report.results), "check"), "bold"), f": {_ended(report)}"))
    row(page, "crashed", _lines(by_outcome[Outcome.CRASHED]), style="bold red")
    row(page, "skipped", _lines(by_outcome[Outcome.SKIPPED]), style="bold yellow")
    partial = [result for result in by_outcome[Outcome.FOUND] if result.reason is not None]
    row(page, "partly", _lines(partial), style="bold yellow")
    row(page, "grant", missing_grants(report.results, report.target.role, grants), style="bold yellow")
    most = len(report.unseen) if is_complete else _MANY
    if report.unseen:
        row(page, "unseen", [listed(list(report.unseen), most=most)], style="bold yellow")
    if by_outcome[Outcome.OK] and (is_complete or not shown):
        row(page, "fine", [", ".join(result.check for result in by_outcome[Outcome.OK])])
    if others and not is_complete:
        counts = Counter(finding.check for finding in others).most_common()
        checks = ", ".join(f"{check} {format_count(count)}" for check, count in counts)
        what = plural(len(others), "remark")
        row(page, "others", [f"{what} on tables of contrib or third-party apps ({checks}): -v"])


def row(page: Page, label: str, lines: Iterable[str], style: str = "bold") -> None:
    """Add lines under one label."""
    for line in lines:
        page.prose(styled((f"  {label:{_LABEL_CELLS}}", style), line), hanging=2 + _LABEL_CELLS)
        label = ""


def by_reason(results: Iterable[CheckResult]) -> dict[str, list[str]]:
    """Return the reasons that `results` give, with all checks that give each."""
    checks: dict[str, list[str]] = defaultdict(list)
    for result in results:
        checks[result.reason or "no reason was given"].append(result.check)
    return dict(checks)


def missing_grants(results: Iterable[CheckResult], role: str | None, grants: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the statements that would let `role` see what it had no right to, each once; `grants` are by check."""
    name = quote_ident(role) if role else "its_role"
    refused = [result.check for result in results if result.reason and _NO_RIGHT.search(result.reason)]
    missing = [grant.format(role=name, schema="public") for check in refused for grant in grants.get(check, ())]
    return [f"{grant} -- so for every schema" if " SCHEMA " in grant else grant for grant in dict.fromkeys(missing)]


def _lines(results: Iterable[CheckResult]) -> list[str]:
    return [f"{', '.join(names)}: {reason}" for reason, names in by_reason(results).items()]


def _ended(report: Report) -> str:
    """Return how many checks ended how; what a check found may all have been ignored, or not been asked about."""
    reported = {finding.check for finding in report.findings}
    found = report.outcomes(Outcome.FOUND)
    ended = {
        "found something": sum(result.check in reported for result in found),
        "found only what is left out here": sum(result.check not in reported for result in found),
        "fine": len(report.outcomes(Outcome.OK)),
        "skipped": len(report.outcomes(Outcome.SKIPPED)),
        "crashed": len(report.outcomes(Outcome.CRASHED)),
    }
    return ", ".join(f"{count} {how}" for how, count in ended.items() if count) or "none was asked for"


def _terms(score: Score) -> list[str]:
    terms = [f" − {term.points:g} {term.check}" for term in score.terms]
    if score.capped_by is not None:
        terms.append(f" (capped at {score.value} by {score.capped_by})")
    return [": 100", *terms] if terms else []
