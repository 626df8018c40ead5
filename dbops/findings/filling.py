"""How bad it is that something fills up: by how full it is, and by when it will be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dbops.findings.finding import Basis, Confidence, Severity

if TYPE_CHECKING:
    from dbops.snapshot.forecast import Forecast

#: From here on it is a red condition, which caps the score.
RED_RATIO: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on something that fills up is reported: by its share that is used, or by the days that are left."""

    used_ratio: float
    critical_ratio: float
    days_left: float
    critical_days_left: float

    def severity(self, used_ratio: float, ahead: Forecast | None) -> Severity | None:
        """Return how bad it is, None for not at all."""
        if used_ratio >= self.critical_ratio or (ahead and ahead.is_within(self.critical_days_left)):
            return Severity.CRITICAL
        if used_ratio >= self.used_ratio or (ahead and ahead.is_within(self.days_left)):
            return Severity.WARNING
        return None

    def judged(self, used_ratio: float, ahead: Forecast | None) -> dict[str, Any] | None:
        """Return what a finding says of its severity, what that rests on and how sure it is; None for no finding.

        What is reported, or made worse, by the days alone is an estimate.
        """
        severity, by_fill = self.severity(used_ratio, ahead), self.severity(used_ratio, None)
        if severity is None:
            return None
        is_measured = severity is by_fill
        return {
            "severity": severity,
            "basis": Basis.MEASURED if is_measured else Basis.ESTIMATED,
            "confidence": Confidence.HIGH if is_measured else Confidence.MEDIUM,
            "is_red": used_ratio >= RED_RATIO,
        }
