"""The checks of dbops at /ht/: looked at in the background, answered from the last look."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from django.conf import settings
from health_check.exceptions import ServiceWarning

from dbops.analysis.runner import select
from dbops.conf import read
from dbops.diagnose import diagnose_alias
from dbops.errors import DbopsError
from dbops.findings.finding import Severity
from dbops.findings.report import Outcome
from dbops.health.probe import NotJudgedError, Probe
from dbops.watch import Crash, Watch, watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.findings.finding import Finding
    from dbops.findings.report import Report
    from dbops.watch import Seen

#: A look is kept at least this long, and one that could not see at least this long.
KEPT_S: Final = 60.0
RETRIED_AFTER_S: Final = 5.0
#: On a large database a look takes its time: it is to take no more than a hundredth of it, one in vain a tenth.
SHARE: Final = 100
SHARE_IN_VAIN: Final = 10
#: However long it takes, there is a look as often as this.
LONGEST_KEPT_S: Final = 15 * 60.0
#: A look as old as so many of its lifetimes, or as this, says nothing of now.
LIFETIMES: Final = 5
LONGEST_SHOWN_S: Final = 30 * 60.0
#: How long a page waits for a look when there is none it could show; the rest of its time is for saying so.
WAIT_S: Final = 2.0
#: Unapplied migrations are a line of their own: there any finding counts, as the code may need what is missing.
MIGRATIONS: Final = "pending_migration"


@dataclass(frozen=True, slots=True)
class Look:
    """A report, or why there is none."""

    report: Report | None
    reason: str | None


def checks_looked_at() -> tuple[str, ...]:
    """Return the ids of the checks that are for /ht/, without those that the settings switch off."""
    switched_off = read(getattr(settings, "DBOPS", {}))[0].disabled
    return tuple(check.id for check in select(disabled=switched_off) if check.for_health)


def look(alias: str) -> Look:
    """Look at DATABASES[alias] through the whole pipe."""
    try:
        report = diagnose_alias(alias, only=checks_looked_at(), may_start_server=False, reads_history=False)
    except DbopsError as error:
        return Look(None, error.message)
    return Look(report, report.interrupted)


def _kept_s(seen: Seen[Look] | Crash) -> float:
    is_in_vain = isinstance(seen, Crash) or seen.value.reason is not None
    least_s, share = (RETRIED_AFTER_S, SHARE_IN_VAIN) if is_in_vain else (KEPT_S, SHARE)
    return min(max(least_s, share * seen.took_s), LONGEST_KEPT_S)


def live_probes(alias: str) -> Iterator[Probe]:
    """Iterate over what is judged of DATABASES[alias] from one look: whether it was seen at all, then each check."""
    yield LiveChecks(alias)
    for check in checks_looked_at():
        yield Migrations(alias) if check == MIGRATIONS else LiveCheck(alias, check)


@dataclass
class LiveChecks(Probe):
    """The last look is whole and not old. Nothing is judged by it beside that: the checks have lines of their own."""

    name: ClassVar[str] = "live_checks"

    async def run(self) -> None:
        seen = self.seen = await _seen(self.alias)
        if seen is None:
            message = "not looked at yet"
            raise ServiceWarning(message)
        if isinstance(seen, Crash):
            message = "the look crashed: see the log"
            raise ServiceWarning(message)
        if seen.value.reason is not None:
            raise ServiceWarning(seen.value.reason)
        if _is_stale(seen):
            message = f"last looked at {seen.age_s:.0f} s ago"
            raise ServiceWarning(message)
        report = seen.value.report
        crashed = [] if report is None else [result.check for result in report.outcomes(Outcome.CRASHED)]
        if crashed:
            message = f"crashed: {', '.join(crashed)}"
            raise ServiceWarning(message)


@dataclass
class LiveCheck(Probe):
    """One check found nothing that endangers the site now: no critical finding, no red condition."""

    check: str = ""

    @property
    def name(self) -> str:  # type: ignore[override]  # each has its own
        """The check's id."""
        return self.check

    def counts(self, finding: Finding) -> bool:
        """Whether the site is degraded by it."""
        return finding.severity is Severity.CRITICAL or finding.is_red

    async def run(self) -> None:
        seen = self.seen = await _seen(self.alias)
        if seen is None or isinstance(seen, Crash) or seen.value.report is None or _is_stale(seen):
            message = "there is no look of late"
            raise NotJudgedError(message)
        report = seen.value.report
        result = next(result for result in report.results if result.check == self.check)
        findings = [finding for finding in report.findings if finding.check == self.check]
        counted = [finding for finding in findings if self.counts(finding)]
        self.figures = {
            "findings": dict(Counter(str(finding.severity) for finding in findings)),
            "fingerprints": [finding.fingerprint(self.alias) for finding in findings],
        }
        if counted:
            raise ServiceWarning(counted[0].message)
        if result.outcome in {Outcome.SKIPPED, Outcome.CRASHED}:
            raise NotJudgedError(result.reason or str(result.outcome))


@dataclass
class Migrations(LiveCheck):
    """Every migration is applied."""

    name: ClassVar[str] = "migrations"
    check: str = MIGRATIONS

    def counts(self, finding: Finding) -> bool:
        return True


async def _seen(alias: str) -> Seen[Look] | Crash | None:
    """Return the last look, and have the next one made when that is due; wait only where there is none to show."""
    looking: Watch[Look] = watch(look, alias)
    last = looking.last
    # Never 0: the first one may have ended just now.
    asked = looking.ask(max_age_s=RETRIED_AFTER_S if last is None else _kept_s(last))
    if last is not None and not _is_stale(last):
        return last
    try:
        return await asyncio.wait_for(asyncio.wrap_future(asked), WAIT_S)
    except TimeoutError:
        return looking.last


def _is_stale(seen: Seen[Look] | Crash) -> bool:
    return seen.age_s > min(LIFETIMES * _kept_s(seen), LONGEST_SHOWN_S)
