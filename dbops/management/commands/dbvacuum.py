"""`manage.py dbvacuum`: what VACUUM and ANALYZE have to do, and with --apply the doing of it."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import OutputWrapper

from dbops import __version__
from dbops.conf import config
from dbops.errors import ConfigurationError, DbopsError, TargetUnreachableError, UsageError
from dbops.findings.vacuum_advice import Outcome, Treated, VacuumPlan
from dbops.maintenance.vacuum_look import look
from dbops.maintenance.vacuum_run import Limits, VacuumRun
from dbops.management.command import DbopsCommand, Exit
from dbops.management.confirmation import add_confirmation, confirmed
from dbops.management.dsn import read_dsn
from dbops.management.names import check_aliases, refuse_together
from dbops.management.progress import shown_progress
from dbops.management.surface import Surface, check_writable, write_whole
from dbops.render.vacuum import render_advice, render_json, render_results, render_work
from dbops.snapshot.amounts import format_seconds
from dbops.sources import connect_alias, connect_dsn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from django.core.management.base import CommandParser

    Connect: TypeAlias = Callable[[], AbstractContextManager[tuple[Any, type[Exception]]]]

_CODES = {Outcome.DONE: Exit.FINE, Outcome.FAILED: Exit.FAILED}


@dataclass(slots=True)
class _Target:
    """A database: how to reach it, what there is to do there, and what was done."""

    name: str
    alias: str | None
    connect: Connect
    plan: VacuumPlan | None = None
    results: list[Treated] = field(default_factory=list)


class Command(DbopsCommand):
    help = "Say which tables need VACUUM or ANALYZE and what holds their dead rows. Changes nothing without --apply."
    examples = (
        ("manage.py dbvacuum", "what there is to do, worst first"),
        ("manage.py dbvacuum --table shop.Order --table audit.log", "two tables: by model, and by name"),
        ("manage.py dbvacuum --apply", "do it, after asking; say what it achieved"),
        ("manage.py dbvacuum --apply --yes --timeout 600", "in a nightly job: at most ten minutes for each table"),
        ("manage.py dbvacuum --apply --plan", "only the statements that would be run"),
        ("manage.py dbvacuum --dsn postgresql://me@db.example/shop --format json", "any database, for a program"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", metavar="ALIAS", action="append", default=[], help="repeatable")
        parser.add_argument("--dsn", help="any database: a DSN without password, - for standard input, or DBOPS_DSN")
        parser.add_argument(
            "--table",
            metavar="NAME",
            action="append",
            default=[],
            help="only this and its partitions: schema.table, a table on the search path, app.Model; repeatable",
        )
        parser.add_argument("--all", action="store_true", help="show tables with nothing to do, too")
        parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
        parser.add_argument("--output", metavar="FILE", type=Path, help="write to a file, whole or not at all")
        parser.add_argument("--apply", action="store_true", help="run what is advised, one table at a time")
        parser.add_argument(
            "--timeout",
            metavar="SECONDS",
            type=_seconds(0),
            default=3600,
            help="with --apply: stop a table's statement after this long, 0 for never (default: 3600)",
        )
        parser.add_argument(
            "--lock-timeout",
            metavar="SECONDS",
            type=_seconds(1),
            default=2,
            help="with --apply: skip a table that is locked for longer (default: 2)",
        )
        add_confirmation(parser)

    def run(self, **options: Any) -> Exit:
        if options["output"]:
            check_writable(options["output"])
        targets = _targets(options)
        codes = self._look(targets, options)
        seen = [target for target in targets if target.plan is not None]
        if not seen:
            return Exit.worst(codes)
        is_json = options["format"] == "json"
        if not options["apply"]:
            self._write_advice(seen, options)
            return Exit.worst(codes)
        if not any(target.plan.due for target in seen if target.plan):
            self._write_advice(seen, options)
            return Exit.worst(codes)
        if options["plan"] and is_json:
            self._write(_as_json(seen, are_done=False), options)
            return Exit.worst(codes)
        # What a program reads is the result alone.
        place = OutputWrapper(sys.stderr) if is_json else self.stdout
        plans = [target.plan for target in seen if target.plan]
        if not confirmed(render_work(plans, _limit_words(options)), options, place):
            return Exit.worst(codes)
        codes += self._apply(seen, options)
        return Exit.worst(codes)

    def _look(self, targets: Sequence[_Target], options: Mapping[str, Any]) -> list[Exit]:
        """Look at each database; return the codes of what could not be looked at."""
        codes = []
        for target in targets:
            try:
                with shown_progress(f"looking at {target.name}") as progress, target.connect() as (connection, error):
                    target.plan = look(
                        connection,
                        error,
                        alias=target.alias,
                        names=options["table"],
                        show_all=options["all"],
                        is_to_change=options["apply"] and not options["plan"],
                        progress=progress,
                    )
            except UsageError:
                raise
            except DbopsError as error_of_one:  # another database may do
                codes.append(self.complain(error_of_one))
        return codes

    def _apply(self, targets: Sequence[_Target], options: Mapping[str, Any]) -> list[Exit]:
        """Run the plans; whatever ends that early, what was done is said."""
        codes: list[Exit] = []
        limits = Limits(lock_s=options["lock_timeout"], table_s=options["timeout"])
        try:
            for target in targets:
                try:
                    self._treat(target, limits)
                except (TargetUnreachableError, ConfigurationError, DbopsError) as error:
                    codes.append(self.complain(error))
        except KeyboardInterrupt:
            codes.append(self.complain("interrupted: what is named as done stays done, and nothing was harmed"))
        self._write_results(targets, options)
        return codes + [_CODES.get(result.outcome, Exit.WARNED) for target in targets for result in target.results]

    def _treat(self, target: _Target, limits: Limits) -> None:
        due = target.plan.due if target.plan else ()
        if target.plan is None or not due:
            return
        with shown_progress(f"working at {target.name}") as step, target.connect() as (connection, error):
            run = VacuumRun(connection, error, limits).treat(target.plan)
            for number, table in enumerate(due):
                if step:
                    step(f"{table.name}, table {number + 1} of {len(due)}", number, len(due))
                target.results.append(next(run))

    def _write_advice(self, targets: Sequence[_Target], options: Mapping[str, Any]) -> None:
        if options["format"] == "json":
            self._write(_as_json(targets, are_done=options["apply"]), options)
            return
        surface = Surface() if options["output"] else self.surface
        plans = [target.plan for target in targets if target.plan]
        text = render_advice(
            plans,
            width=surface.width,
            colour=surface.colour,
            encoding=surface.encoding,
            verbosity=options["verbosity"],
        )
        self._write(text, options)

    def _write_results(self, targets: Sequence[_Target], options: Mapping[str, Any]) -> None:
        if options["format"] == "json":
            self._write(_as_json(targets, are_done=True), options)
            return
        surface = Surface() if options["output"] else self.surface
        texts = [
            render_results(
                target.plan, target.results, width=surface.width, colour=surface.colour, encoding=surface.encoding
            )
            for target in targets
            if target.plan
        ]
        self._write("\n".join(texts), options)

    def _write(self, result: str, options: Mapping[str, Any]) -> None:
        if options["output"] is None:
            self.stdout.write(result, ending="")
        else:
            write_whole(options["output"], result)


def _targets(options: Mapping[str, Any]) -> list[_Target]:
    """Return what to look at: an alias that was named wins over the variable DBOPS_DSN.

    Raises:
        ConfigurationError, UsageError: names of nothing, or options that exclude each other.
    """
    if options["dsn"]:
        refuse_together("--dsn", options, "database", why="a database given by its DSN has no alias")
    check_aliases(options["database"])
    dsn = None if options["database"] else read_dsn(options["dsn"], sys.stdin)
    if dsn is not None:
        return [_Target("the database of the DSN", None, partial(connect_dsn, dsn))]
    aliases = dict.fromkeys(options["database"] or config().databases)
    return [_Target(alias, alias, partial(connect_alias, alias)) for alias in aliases]


def _as_json(targets: Sequence[_Target], *, are_done: bool) -> str:
    plans = [target.plan for target in targets if target.plan]
    results = {number: target.results for number, target in enumerate(targets)} if are_done else {}
    return render_json(plans, results, generated_at=datetime.now(UTC), version=__version__)


def _limit_words(options: Mapping[str, Any]) -> str:
    at_most = f"at most {format_seconds(options['timeout'])}" if options["timeout"] else "as long as it takes"
    return f"{at_most} for each, a table locked for more than {options['lock_timeout']} s is skipped"


def _seconds(least: int) -> Callable[[str], int]:
    """Return what reads a whole number of seconds, `least` or more."""

    def read(text: str) -> int:
        if text.isascii() and text.isdecimal() and least <= int(text) <= 2_000_000:
            return int(text)
        message = f"{text!r} is not a whole number of seconds from {least} to 2000000"
        raise argparse.ArgumentTypeError(message)

    return read
