"""What a look did not see, and why: a report that is silent about it would pass for good news."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbops.findings.report import Outcome

if TYPE_CHECKING:
    from dbops.findings.report import Report


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was not seen. `check` is None where it concerns the whole look; `is_failure` is worth a 2."""

    check: str | None
    reason: str
    is_failure: bool = False

    def __str__(self) -> str:
        return f"{self.check}: {self.reason}" if self.check else self.reason


def gaps(report: Report) -> tuple[Gap, ...]:
    """Return everything that was not seen, the failures first."""
    whole = []
    if report.interrupted is not None:
        whole.append(Gap(None, f"interrupted, so only a part was looked at: {report.interrupted}", is_failure=True))
    elif report.score is None:
        whole.append(Gap(None, "nothing was looked at: this says nothing about the database's health"))
    crashed = [
        Gap(one.check, f"crashed: {_reason(one.reason)}", is_failure=True) for one in report.outcomes(Outcome.CRASHED)
    ]
    skipped = [Gap(one.check, f"skipped: {_reason(one.reason)}") for one in report.outcomes(Outcome.SKIPPED)]
    partial = [
        Gap(result.check, f"saw only a part: {result.reason}")
        for outcome in (Outcome.FOUND, Outcome.OK)
        for result in report.outcomes(outcome)
        if result.reason is not None
    ]
    found = [*whole, *crashed, *skipped, *partial, *(Gap(None, line) for line in report.unseen)]
    return tuple(sorted(found, key=lambda gap: not gap.is_failure))


def _reason(reason: str | None) -> str:
    return reason or "no reason was given"
