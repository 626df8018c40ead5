"""Findings that somebody decided to live with: which, why, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date  # noqa: TC003  part of the public shape
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from dbops.findings.report import Ignored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbops.findings.finding import Finding


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
        return finding.check == self.check and fnmatchcase(finding.target.name, self.target)


def set_aside(
    findings: Iterable[Finding], ignores: Iterable[Ignore], today: date
) -> tuple[tuple[Finding, ...], tuple[Ignored, ...]]:
    """Return the findings that stay, and those that an ignore still in force takes out."""
    in_force = [ignore for ignore in ignores if not ignore.has_expired(today)]
    kept, ignored = [], []
    for finding in findings:
        ignore = next((ignore for ignore in in_force if ignore.matches(finding)), None)
        if ignore is None:
            kept.append(finding)
        else:
            until = ignore.until.isoformat() if ignore.until else None
            ignored.append(Ignored(finding=finding, reason=ignore.reason, until=until))
    return tuple(kept), tuple(ignored)
