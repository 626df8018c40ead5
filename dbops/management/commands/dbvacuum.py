"""`manage.py dbvacuum`: what VACUUM, ANALYZE and REINDEX have to do, and with --apply the doing of it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import OutputWrapper

from dbops import __version__
from dbops.errors import DbopsError, UsageError
from dbops.maintenance.one_run import MaintenanceBusyError
from dbops.maintenance.vacuum_look import look
from dbops.maintenance.vacuum_run import opened_run
from dbops.management.command import DbopsCommand, Exit
from dbops.management.confirmation import add_confirmation, confirmed
from dbops.management.limits import CODES, add_limits, limit_words, limits_of
from dbops.management.progress import shown_progress
from dbops.management.surface import Surface, check_writable, write_whole
from dbops.management.targets import Target, targets_of
from dbops.render.vacuum import render_advice, render_json, render_results, render_work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.core.management.base import CommandParser

    from dbops.maintenance.vacuum_run import Limits


class Command(DbopsCommand):
    help = "Say which tables need VACUUM or ANALYZE and what holds their dead rows. Changes nothing without --apply."
    needs_advice = True
    examples = (
        ("manage.py dbvacuum", "what there is to do, worst first"),
        ("manage.py dbvacuum --table shop.Order --table audit.log", "two tables: by model, and by name"),
        ("manage.py dbvacuum --apply", "do it, after asking; say what it achieved"),
        ("manage.py dbvacuum --apply --yes --run-timeout 7200", "in a nightly job: at most two hours for all of it"),
        ("manage.py dbvacuum --bloat", "measure, too, what tables and indexes waste"),
        ("manage.py dbvacuum --reindex --apply", "build bloated and invalid indexes anew, too"),
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
        parser.add_argument(
            "--bloat", action="store_true", help="measure what tables and indexes waste, which may take a minute"
        )
        parser.add_argument(
            "--reindex",
            action="store_true",
            help="work at bloated and invalid indexes, too: REINDEX INDEX CONCURRENTLY; measures bloat",
        )
        parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
        parser.add_argument("--output", metavar="FILE", type=Path, help="write to a file, whole or not at all")
        parser.add_argument("--apply", action="store_true", help="run what is advised, one table at a time")
        add_limits(parser)
        add_confirmation(parser)

    def run(self, **options: Any) -> Exit:
        if options["output"]:
            check_writable(options["output"])
        targets = targets_of(options)
        codes = self._look(targets, options)
        seen = [target for target in targets if target.plan is not None]
        if not seen:
            return Exit.worst(codes)
        is_json = options["format"] == "json"
        if not options["apply"]:
            self._write_advice(seen, options)
            return Exit.worst(codes)
        if not any(target.plan.work for target in seen if target.plan):
            self._write_advice(seen, options)
            return Exit.worst(codes)
        if options["plan"] and is_json:
            self._write(_as_json(seen, are_done=False), options)
            return Exit.worst(codes)
        # What a program reads is the result alone.
        place = OutputWrapper(sys.stderr) if is_json else self.stdout
        plans = [target.plan for target in seen if target.plan]
        if not confirmed(render_work(plans, limit_words(options)), options, place):
            return Exit.worst(codes)
        codes += self._apply(seen, options)
        return Exit.worst(codes)

    def _look(self, targets: Sequence[Target], options: Mapping[str, Any]) -> list[Exit]:
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
                        with_bloat=options["bloat"] or options["reindex"],
                        is_reindexing=options["reindex"],
                        is_to_change=options["apply"] and not options["plan"],
                        progress=progress,
                    )
            except UsageError:
                raise
            except DbopsError as error_of_one:  # another database may do
                codes.append(self.complain(error_of_one))
        return codes

    def _apply(self, targets: Sequence[Target], options: Mapping[str, Any]) -> list[Exit]:
        """Run the plans; whatever ends that early, what was done is said."""
        codes: list[Exit] = []
        limits = limits_of(options)
        try:
            for target in targets:
                try:
                    self._treat(target, limits)
                except MaintenanceBusyError as error:
                    self.complain(error)
                    codes.append(Exit.BUSY)
                except DbopsError as error:  # another database may do
                    codes.append(self.complain(error))
        except KeyboardInterrupt:
            codes.append(self.complain("interrupted: what is named as done stays done, and nothing was harmed"))
        self._write_results(targets, options)
        return codes + [CODES.get(result.outcome, Exit.WARNED) for target in targets for result in target.results]

    def _treat(self, target: Target, limits: Limits) -> None:
        if target.plan is None or not target.plan.work:
            return
        with (
            shown_progress(f"working at {target.name}") as step,
            opened_run(target.connect, target.plan, limits, step=step) as run,
        ):
            run.treat(target.plan, target.results)

    def _write_advice(self, targets: Sequence[Target], options: Mapping[str, Any]) -> None:
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

    def _write_results(self, targets: Sequence[Target], options: Mapping[str, Any]) -> None:
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


def _as_json(targets: Sequence[Target], *, are_done: bool) -> str:
    plans = [target.plan for target in targets if target.plan]
    results = {number: target.results for number, target in enumerate(targets)} if are_done else {}
    return render_json(plans, results, generated_at=datetime.now(UTC), version=__version__)
