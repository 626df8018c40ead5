"""`manage.py dbanalyze`: options in, report out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbops.errors import TargetUnreachableError
from dbops.findings.finding import Severity, Tag
from dbops.findings.report import Outcome
from dbops.management.command import DbopsCommand, Exit
from dbops.management.faces import checks_as, reports_as
from dbops.management.looks import looks
from dbops.management.names import words
from dbops.management.progress import shown_progress
from dbops.management.surface import Surface, check_writable, write_whole

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from dbops.findings.report import Report

_NEVER = "never"


class Command(DbopsCommand):
    help = "Say what is wrong with a PostgreSQL database, why it matters there, and how to mend it. Changes nothing."
    examples = (
        ("manage.py dbanalyze", "look at the databases of the DBOPS setting, without one at default"),
        ("manage.py dbanalyze shop --fail-on warning", "judge one app; end with 1 at a warning or worse"),
        ("manage.py dbanalyze --tag structural --format json --output report.json", "the schema alone, for CI"),
        ("manage.py dbanalyze --dsn postgresql://me@db.example/shop", "look at any database, as nobody's models"),
        ("manage.py dbanalyze --explain redundant_index", "what a check looks for, why, and how to mend it"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("app_labels", metavar="APP_LABEL", nargs="*", help="only the findings of these apps")
        parser.add_argument("--database", metavar="ALIAS", action="append", default=[], help="repeatable")
        parser.add_argument("--dsn", help="any database: a DSN without password, - for standard input, or DBOPS_DSN")
        parser.add_argument("--only", metavar="CHECK", action="extend", type=words, help="repeatable, or with commas")
        parser.add_argument(
            "--tag", choices=[str(tag) for tag in Tag], help="structural: the schema alone; live: rows and statistics"
        )
        parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
        parser.add_argument("--output", metavar="FILE", type=Path, help="write to a file, whole or not at all")
        parser.add_argument(
            "--fail-on",
            choices=("critical", "warning", _NEVER),
            default="critical",
            help="end with 1 at this severity or worse, where it is the project's or the server's (default: critical)",
        )
        parser.add_argument("--strict", action="store_true", help="end with 3 when something could not be looked at")
        parser.add_argument("--explain", metavar="CHECK", help="show the page of a check; look at nothing")
        parser.add_argument("--list", action="store_true", help="list the checks; look at nothing")

    def run(self, **options: Any) -> Exit:
        file: Path | None = options["output"]
        surface = self.surface
        if file:
            check_writable(file)
            surface = Surface()
        if options["explain"] or options["list"]:
            self._write(checks_as(options, surface), file)
            return Exit.FINE
        reports, codes = [], []
        for name, look in looks(options).items():
            try:
                with shown_progress(f"looking at {name}") as progress:
                    reports.append(look(progress=progress))
            except TargetUnreachableError as error:  # another may be within reach
                codes.append(self.complain(error))
        if reports:
            self._write(reports_as(options, reports, surface), file)
        return Exit.worst(
            codes + [_exit(report, options["fail_on"], is_strict=options["strict"]) for report in reports]
        )

    def _write(self, result: str, file: Path | None) -> None:
        if file is None:
            self.stdout.write(result, ending="")
        else:
            write_whole(file, result)


def _exit(report: Report, fail_on: str, *, is_strict: bool) -> Exit:
    codes = set()
    if report.interrupted is not None or report.outcomes(Outcome.CRASHED):
        codes.add(Exit.FAILED)
    if fail_on != _NEVER and report.failing(Severity(fail_on)):
        codes.add(Exit.FOUND)
    if is_strict and (report.unseen or any(result.reason is not None for result in report.results)):
        codes.add(Exit.INCOMPLETE)
    return Exit.worst(codes)
