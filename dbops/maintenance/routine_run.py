"""The steps of a routine: what each looks at, by which checks, and what it does; none keeps another from its turn."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final

from django.db import Error
from django.utils import timezone

from dbops.analysis.registry import checks
from dbops.conf import config
from dbops.counters.recording import record
from dbops.counters.store import last_taken_at
from dbops.diagnose import checks_by_dsn, diagnose_alias, diagnose_dsn
from dbops.errors import DbopsError
from dbops.findings.finding import Severity, Tag
from dbops.findings.maintenance import Round, Routine, State, Step
from dbops.findings.report import Outcome as CheckOutcome
from dbops.findings.vacuum_advice import Outcome
from dbops.maintenance.one_run import MaintenanceBusyError
from dbops.maintenance.sizes import read_sizes
from dbops.maintenance.vacuum_plan import BLOAT_CHECKS
from dbops.maintenance.vacuum_run import opened_run
from dbops.snapshot.amounts import format_bytes, format_count, format_seconds, plural

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dbops.findings.report import Report
    from dbops.findings.vacuum_advice import IndexAdvice, TableAdvice, Treated, VacuumPlan
    from dbops.maintenance.vacuum_run import Connect, Limits
    from dbops.maintenance.vacuum_run import Step as Progress

_DAILY: Final = ("counters", "vacuum", "alarms")
_WEEKLY: Final = (*_DAILY, "indexes", "sizes", "statements")
#: The steps of each, in their order.
STEPS: Final = {
    Routine.DAILY: _DAILY,
    Routine.WEEKLY: _WEEKLY,
    Routine.MONTHLY: ("counters", "vacuum", "reindex", *_WEEKLY[2:], "bloat", "forecasts"),
}
#: The checks of the steps that report; the alarms are those of all checks of the living database.
REPORTS: Final = {
    "indexes": ("unused_index", "redundant_index", "duplicate_index", "invalid_index"),
    "statements": ("slow_query", "dominant_query", "regressed_query"),
    "bloat": BLOAT_CHECKS,
    "forecasts": (
        "exhausted_sequence",
        "exhausted_integer_key",
        "transaction_wraparound",
        "multixact_wraparound",
        "filling_disk",
    ),
}
#: Counters that are younger have been kept by somebody who does so regularly.
_RECENT_S: Final = 3600.0
_OF_A_DSN: Final = "no history is kept of a database that is given by its DSN"


@dataclass(frozen=True, slots=True)
class RoutineRun:
    """Goes through the steps of `round_` at a database; changes it only within `limits`, not at all without.

    `plan` is what VACUUM, ANALYZE and REINDEX have to do there, a text why that is not known.
    """

    round_: Round
    connect: Connect
    dsn: str | None
    plan: VacuumPlan | str
    limits: Limits | None = None
    progress: Progress | None = None

    def go(self) -> None:
        """Add every step to the round, whatever becomes of each.

        Raises:
            KeyboardInterrupt: somebody pressed Ctrl-C; the steps that are left are told as skipped.
        """
        names = STEPS[self.round_.routine]
        try:
            for number, name in enumerate(names):
                if any(step.name == name for step in self.round_.steps):
                    continue  # the work is done in one go
                if self.progress is not None:
                    self.progress(name, number, len(names))
                self._take(name)
        finally:
            told = {step.name for step in self.round_.steps}
            self.round_.steps.extend(
                Step(name=name, state=State.SKIPPED, note="the run was ended before its turn")
                for name in names
                if name not in told
            )

    def _take(self, name: str) -> None:
        began = monotonic()
        try:
            if name in {"vacuum", "reindex"}:
                self._work()
            else:
                self.round_.steps.append(self._look(name, began))
        except (DbopsError, Error) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            failed = Step(name=name, state=State.FAILED, note=lines[0], duration_s=monotonic() - began)
            self.round_.steps.append(failed)

    def _look(self, name: str, began: float) -> Step:
        if name == "counters":
            state, note = self._counters()
            return Step(name=name, state=state, note=note, duration_s=monotonic() - began)
        if name == "sizes":
            with self.connect() as (connection, error):
                sizes = read_sizes(connection, error, alias=self.round_.alias)
            total = "" if sizes.database_bytes is None else f"{format_bytes(sizes.database_bytes)} in all"
            return Step(name=name, state=State.DONE, note=total, duration_s=monotonic() - began, sizes=sizes)
        report = self._report(name)
        if report is None:
            return Step(name=name, state=State.SKIPPED, note="its checks are switched off in the settings")
        blind = _blindness(report)
        return Step(
            name=name,
            state=State.DONE if blind is None else State.SKIPPED,
            note=_said(report, is_alarm=name == "alarms") if blind is None else blind,
            duration_s=monotonic() - began,
            report=report,
        )

    def _report(self, name: str) -> Report | None:
        """Return what the checks of a step say; None where the settings leave none of them."""
        settings = config()
        only: Collection[str]
        if name in REPORTS:
            only = [check for check in REPORTS[name] if check not in settings.disabled]
        else:
            known = checks_by_dsn(settings) if self.dsn is not None else checks().values()
            left_out = {*settings.disabled, *BLOAT_CHECKS}
            only = [check.id for check in known if check.tag is Tag.LIVE and check.id not in left_out]
        if not only:
            return None
        if self.dsn is not None:
            return diagnose_dsn(self.dsn, only=only)
        return diagnose_alias(self.round_.alias or "", only=only)

    def _counters(self) -> tuple[State, str]:
        alias = self.round_.alias
        if alias is None:
            return State.SKIPPED, _OF_A_DSN
        last = last_taken_at(alias)
        age_s = None if last is None else (timezone.now() - last).total_seconds()
        kept = "none are kept yet" if age_s is None else f"last kept {format_seconds(age_s)} ago"
        if age_s is not None and age_s <= _RECENT_S:
            return State.DONE, kept
        if self.limits is None:
            return State.TO_DO, f"{kept}: manage.py dbsnapshot keeps them, every minute or every ten"
        snapshot = record(alias)
        if snapshot.interrupted is not None:
            raise DbopsError(snapshot.interrupted)
        return State.DONE, f"kept now; before, {kept}"

    def _work(self) -> None:
        """Run the plan, in one go: add the step vacuum and, where indexes are part of it, the step reindex."""
        plan = self.plan
        if isinstance(plan, str):
            self._add_work([], None, note=plan, state=State.FAILED)
        elif self.limits is None or not plan.work:
            self._add_work([], plan)
        else:
            results: list[Treated] = []
            try:
                with opened_run(self.connect, plan, self.limits, step=self.progress) as run:
                    run.treat(plan, results)
            except KeyboardInterrupt:
                self._add_work(results, plan, note="interrupted", state=State.FAILED)
                raise
            except MaintenanceBusyError as error:
                self._add_work(results, plan, note=error.message, state=State.SKIPPED, is_busy=True)
            except DbopsError as error:
                self._add_work(results, plan, note=error.message, state=State.FAILED)
            else:
                self._add_work(results, plan, state=State.DONE)

    def _add_work(
        self,
        results: Sequence[Treated],
        plan: VacuumPlan | None,
        *,
        note: str | None = None,
        state: State | None = None,
        is_busy: bool = False,
    ) -> None:
        parts: list[tuple[str, str, Sequence[TableAdvice] | Sequence[IndexAdvice]]] = [
            ("vacuum", "table", plan.due if plan else ()),
            ("reindex", "index", plan.rebuilds if plan else ()),
        ]
        for name, noun, items in parts:
            if name not in STEPS[self.round_.routine]:
                continue
            names = {item.name for item in items}
            own = tuple(result for result in results if result.name in names)
            self.round_.steps.append(
                Step(
                    name=name,
                    state=state if state and (items or plan is None) else State.TO_DO if items else State.DONE,
                    note=note if note and (items or plan is None) else _work_note(len(items), noun, own),
                    duration_s=sum(result.duration_s for result in own),
                    plan=plan,
                    results=own if results or state is State.DONE else None,
                    is_busy=is_busy,
                )
            )


def _work_note(count: int, noun: str, results: Sequence[Treated]) -> str:
    if not count:
        return "nothing is due"
    if not results:
        return f"{plural(count, noun)} to work at"
    done = sum(result.outcome is Outcome.DONE for result in results)
    return f"{format_count(done)} of {plural(count, noun)}"


def _blindness(report: Report) -> str | None:
    """Return why no check of a report could judge anything; None where one did."""
    if report.score is not None:
        return None
    reasons = [report.interrupted, *(result.reason for result in report.results)]
    return next(filter(None, reasons), "nothing could be looked at")


def _said(report: Report, *, is_alarm: bool) -> str:
    """Return in a line how much was found; of the alarms, only what is critical is one."""
    if is_alarm:
        critical = [finding for finding in report.findings if finding.severity is Severity.CRITICAL]
        others = len(report.findings) - len(critical)
        rest = f", {plural(others, 'lesser finding')}: manage.py dbanalyze" if others else ""
        return (plural(len(critical), "critical finding") if critical else "nothing critical") + rest
    if report.findings:
        return plural(len(report.findings), "finding")
    return "nothing found in what could be seen" if report.outcomes(CheckOutcome.SKIPPED) else "nothing found"
