"""Findings that somebody decided to live with: which, why, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date  # noqa: TC003  part of the public shape
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from dbops.findings.report import Ignored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dbops.findings.finding import Finding
    from dbops.findings.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """Ignores the findings of `check` (an id) on targets that match `target` (a shell pattern), through `until`."""

    check: str
    target: str
    reason: str
    until: date | None = None

    def has_expired(self, today: date) -> bool:
        """Return whether the last day has passed."""
        return self.until is not None and today > self.until

    def matches(self, finding: Finding) -> bool:
        """Return whether `finding` is one of those meant."""
        name = finding.target.name  # a function's has brackets, which are no pattern there
        return finding.check == self.check and (name == self.target or fnmatchcase(name, self.target))

    def of(self, finding: Finding) -> Ignored:
        """Return `finding` with why it is ignored, and until when."""
        return Ignored(finding=finding, reason=self.reason, until=self.until.isoformat() if self.until else None)


class Sorted(NamedTuple):
    """The findings that stay, those that an ignore takes out, and those of `kept` whose ignore has expired."""

    kept: tuple[Finding, ...]
    ignored: tuple[Ignored, ...]
    expired: tuple[Ignored, ...]


def set_aside(findings: Iterable[Finding], ignores: Iterable[Ignore], today: date) -> Sorted:
    """Return `findings` sorted by the ignores: one that is in force wins over one that has expired."""
    in_order = sorted(ignores, key=lambda ignore: ignore.has_expired(today))
    kept, ignored, expired = [], [], []
    for finding in findings:
        ignore = next((ignore for ignore in in_order if ignore.matches(finding)), None)
        if ignore is None or ignore.has_expired(today):
            kept.append(finding)
        else:
            ignored.append(ignore.of(finding))
        if ignore is not None and ignore.has_expired(today):
            expired.append(ignore.of(finding))
    return Sorted(tuple(kept), tuple(ignored), tuple(expired))


def unused(ignores: Iterable[Ignore], reports: Sequence[Report]) -> tuple[Ignore, ...]:
    """Return the ignores that match no finding of any of `reports`, though their checks judged all of them."""
    return tuple(
        ignore
        for ignore in ignores
        if all(
            ignore.check in report.judged and not any(ignore.matches(finding) for finding in report.found)
            for report in reports
        )
    )
