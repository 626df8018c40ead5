"""`manage.py dbmaintain`: the daily, weekly or monthly routine; with --apply it does what is due."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import OutputWrapper

from dbops import __version__
from dbops.errors import DbopsError, UsageError
from dbops.findings.finding import Severity
from dbops.findings.maintenance import Round, Routine, State
from dbops.maintenance.routine_run import STEPS, RoutineRun
from dbops.maintenance.vacuum_look import look
from dbops.management.command import DbopsCommand, Exit
from dbops.management.confirmation import add_confirmation, confirmed
from dbops.management.limits import CODES, add_limits, limit_words, limits_of
from dbops.management.progress import shown_progress
from dbops.management.surface import Surface, check_writable, write_whole
from dbops.management.targets import Target, targets_of
from dbops.management.verdict import NEVER, exit_code
from dbops.render.maintenance import render_json, render_rounds
from dbops.render.vacuum import render_work

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from django.core.management.base import CommandParser


class Command(DbopsCommand):
    help = "Go through the daily, weekly or monthly routine of a database. Changes nothing without --apply."
    needs_advice = True
    examples = (
        ("manage.py dbmaintain daily", "what is due today, and what is critical"),
        ("manage.py dbmaintain daily --apply --yes", "do it, for cron: VACUUM and ANALYZE of what is due"),
        ("manage.py dbmaintain weekly", "and unused indexes, sizes, slow statements"),
        ("manage.py dbmaintain monthly --apply", "and bloat, REINDEX CONCURRENTLY, forecasts"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("routine", choices=[str(routine) for routine in Routine], help="which steps to take")
        parser.add_argument("--database", metavar="ALIAS", action="append", default=[], help="repeatable")
        parser.add_argument("--dsn", help="any database: a DSN without password, - for standard input, or DBOPS_DSN")
        parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
        parser.add_argument("--output", metavar="FILE", type=Path, help="write to a file, whole or not at all")
        parser.add_argument("--apply", action="store_true", help="do what is due, one table at a time")
        parser.add_argument(
            "--fail-on",
            choices=("critical", "warning", NEVER),
            default="critical",
            help="end with 1 at this severity or worse (default: critical)",
        )
        parser.add_argument("--strict", action="store_true", help="end with 3 when something could not be looked at")
        add_limits(parser)
        add_confirmation(parser)

    def run(self, **options: Any) -> Exit:
        if options["output"]:
            check_writable(options["output"])
        routine = Routine(options["routine"])
        targets = targets_of(options)
        runs = [(target, *self._look(target, routine, options)) for target in targets]
        plans = [target.plan for target in targets if target.plan is not None]
        if options["apply"] and (options["plan"] or any(plan.work for plan in plans)):
            # What a program reads is the result alone.
            place = OutputWrapper(sys.stderr) if options["format"] == "json" else self.stdout
            if not confirmed(render_work(plans, limit_words(options)), options, place):
                return Exit.worst(Exit.FINE if target.plan else Exit.FAILED for target in targets)
        rounds = [round_ for _, round_, _ in runs]
        codes = self._go(runs, options)
        self._write(rounds, options)
        return Exit.worst([*codes, *(code for round_ in rounds for code in _codes(round_, options))])

    def _look(self, target: Target, routine: Routine, options: Mapping[str, Any]) -> tuple[Round, str | None]:
        """Make the plan of the work; return the round, and why there is no plan."""
        is_monthly = "reindex" in STEPS[routine]
        try:
            with shown_progress(f"looking at {target.name}") as progress, target.connect() as (connection, error):
                target.plan = look(
                    connection,
                    error,
                    alias=target.alias,
                    with_bloat=is_monthly,
                    is_reindexing=is_monthly,
                    is_to_change=options["apply"] and not options["plan"],
                    progress=progress,
                )
        except UsageError:
            raise
        except DbopsError as error_of_one:  # the other steps, and other databases, may do
            self.complain(error_of_one)
            return Round(routine=routine, alias=target.alias, name=target.name), error_of_one.message
        return Round(routine=routine, alias=target.alias, name=target.plan.name), None

    def _go(self, runs: Sequence[tuple[Target, Round, str | None]], options: Mapping[str, Any]) -> list[Exit]:
        limits = limits_of(options) if options["apply"] else None
        try:
            for target, round_, reason in runs:
                with shown_progress(f"working at {round_.name}") as progress:
                    plan = target.plan or reason or ""
                    RoutineRun(round_, target.connect, target.dsn, plan, limits, progress).go()
        except KeyboardInterrupt:
            return [self.complain("interrupted: what is named as done stays done, and nothing was harmed")]
        return []

    def _write(self, rounds: Sequence[Round], options: Mapping[str, Any]) -> None:
        if options["format"] == "json":
            result = render_json(rounds, generated_at=datetime.now(UTC), version=__version__)
        else:
            surface = Surface() if options["output"] else self.surface
            result = render_rounds(rounds, **asdict(surface), verbosity=options["verbosity"])
        if options["output"] is None:
            self.stdout.write(result, ending="")
        else:
            write_whole(options["output"], result)


def _codes(round_: Round, options: Mapping[str, Any]) -> Iterator[Exit]:
    """Iterate over what each step ends with."""
    fail_on = None if options["fail_on"] == NEVER else Severity(options["fail_on"])
    for step in round_.steps:
        if step.state is State.FAILED:
            yield Exit.FAILED
        if step.is_busy:
            yield Exit.BUSY
        if step.report is not None:
            yield exit_code(step.report, fail_on, is_strict=options["strict"])
        if step.sizes is not None and step.sizes.unseen and options["strict"]:
            yield Exit.INCOMPLETE
        for result in step.results or ():
            yield CODES.get(result.outcome, Exit.WARNED)
