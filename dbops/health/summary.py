"""What the checks said, as one: the whole, each check by its name alone, and every line of the detail."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbops.health.live import LiveChecks
from dbops.health.probe import Probe, Status, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from health_check.base import HealthCheckResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One check of one alias. `status` is None when it could not judge; `age_s` is that of what it judged by."""

    check: str
    alias: str | None
    status: Status | None
    reason: str | None
    latency_ms: float
    age_s: float | None
    is_essential: bool
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Summary:
    """All lines, in the order of the checks."""

    lines: tuple[Line, ...]

    @property
    def status(self) -> Status:
        """Down while something is down without which the site cannot answer; degraded while anything is not well."""
        if any(line.status is Status.DOWN and line.is_essential for line in self.lines):
            return Status.DOWN
        is_well = all(line.status in {Status.OK, None} for line in self.lines)
        return Status.OK if is_well else Status.DEGRADED

    @property
    def checks(self) -> dict[str, Status]:
        """The worst that each check says of any alias; one that could not judge is not in it."""
        by_name: dict[str, list[Status]] = defaultdict(list)
        for line in self.lines:
            if line.status is not None:
                by_name[line.check].append(line.status)
        return {name: Status.worst(statuses) for name, statuses in by_name.items()}

    @property
    def age_s(self) -> float | None:
        """The age of the oldest look that live checks were judged by; None while there was none."""
        ages = (line.age_s for line in self.lines if line.check == LiveChecks.name)
        return max((age_s for age_s in ages if age_s is not None), default=None)


def summarize(results: Iterable[HealthCheckResult]) -> Summary:
    """Return the summary of what django-health-check's or our own checks answered."""
    return Summary(tuple(_line(result) for result in results))


def _line(result: HealthCheckResult) -> Line:
    check, error = result.check, result.error
    latency_s = result.time_taken
    is_ours = isinstance(check, Probe)
    if is_ours and check.seen is not None:
        latency_s = check.seen.took_s
    return Line(
        # The class alone: the labels of others' checks name hosts and aliases.
        check=check.name if is_ours else type(check).__name__,
        alias=check.alias if is_ours else None,
        status=status_of(error),
        reason=None if error is None else error.message,
        latency_ms=round(latency_s * 1000, 1),
        age_s=round(check.seen.age_s, 1) if is_ours and check.seen is not None else None,
        is_essential=check.is_essential if is_ours else True,
        figures=check.figures if is_ours else {},
    )
