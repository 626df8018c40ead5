"""`manage.py dbanalyze`: options in, report out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbops.errors import ConfigurationError, TargetUnreachableError
from dbops.findings.finding import Tag
from dbops.management.baseline_files import read_baseline, write_baseline
from dbops.management.command import DbopsCommand, Exit
from dbops.management.faces import FORMATS, changes_as, checks_as, reports_as
from dbops.management.looks import changes, looks
from dbops.management.names import words
from dbops.management.progress import shown_progress
from dbops.management.surface import Surface, check_output_files, write_whole
from dbops.management.verdict import (
    NEVER,
    exit_code,
    failing_severity,
    held_against,
    is_whole,
    next_baseline,
    unused_ignores,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.core.management.base import CommandParser

    from dbops.findings.baseline import Baseline
    from dbops.findings.report import Report


class Command(DbopsCommand):
    help = "Say what is wrong with a PostgreSQL database, why it matters there, and how to mend it. Changes nothing."
    examples = (
        ("manage.py dbanalyze", "look at the databases of the DBOPS setting, without one at default"),
        ("manage.py dbanalyze shop --fail-on warning", "judge one app; end with 1 at a warning or worse"),
        ("manage.py dbanalyze --tag structural --fail-on warning --format github", "the schema alone, in CI"),
        ("manage.py dbanalyze --write-baseline dbops.json", "accept what is there now"),
        ("manage.py dbanalyze --baseline dbops.json", "fail only on what is new since then, or became worse"),
        ("manage.py dbanalyze --since 7d", "count over the last week, and mark what was not there before"),
        ("manage.py dbanalyze --compare 7d now", "what is new, worse, better or gone since last week"),
        ("manage.py dbanalyze --dsn postgresql://me@db.example/shop", "look at any database, as nobody's models"),
        ("manage.py dbanalyze --explain redundant_index", "what a check looks for, why, and how to mend it"),
    )

    needs_advice = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("app_labels", metavar="APP_LABEL", nargs="*", help="only the findings of these apps")
        parser.add_argument("--database", metavar="ALIAS", action="append", default=[], help="repeatable")
        parser.add_argument("--dsn", help="any database: a DSN without password, - for standard input, or DBOPS_DSN")
        parser.add_argument("--only", metavar="CHECK", action="extend", type=words, help="repeatable, or with commas")
        parser.add_argument(
            "--tag", choices=[str(tag) for tag in Tag], help="structural: schema and settings; live: rows, statistics"
        )
        parser.add_argument("--format", choices=tuple(FORMATS), default="text", help="default: text")
        parser.add_argument("--output", metavar="FILE", type=Path, help="write to a file, whole or not at all")
        parser.add_argument(
            "--fail-on",
            choices=("critical", "warning", NEVER),
            default="critical",
            help="end with 1 at this severity or worse, where it is the project's or the server's (default: critical)",
        )
        parser.add_argument("--baseline", metavar="FILE", type=Path, help="what it has, no worse, does not end with 1")
        parser.add_argument(
            "--write-baseline",
            metavar="FILE",
            type=Path,
            help="keep what is found; beside --baseline, bring it up to date",
        )
        parser.add_argument("--strict", action="store_true", help="end with 3 when something could not be looked at")
        parser.add_argument(
            "--since",
            metavar="T",
            help="count since then, and say what is new: 24h, 7d, 2026-11-30T18:00",
        )
        parser.add_argument(
            "--compare",
            metavar=("A", "B"),
            nargs=2,
            help="what became of the findings between two moments of the kept history; look at nothing",
        )
        parser.add_argument("--explain", metavar="CHECK", help="show the page of a check; look at nothing")
        parser.add_argument("--list", action="store_true", help="list the checks; look at nothing")

    def run(self, **options: Any) -> Exit:
        file, next_file = options["output"], options["write_baseline"]
        check_output_files(file, next_file)
        surface = Surface() if file else self.surface
        if options["explain"] or options["list"]:
            self._write(checks_as(options, surface), file)
            return Exit.FINE
        if options["compare"]:
            self._write(changes_as(options, changes(options), surface), file)
            return Exit.FINE
        baseline = read_baseline(options["baseline"]) if options["baseline"] else None
        reports, codes = self._look(options)
        if baseline:
            reports = [held_against(baseline, report, app_labels=options["app_labels"]) for report in reports]
        if reports:
            unused = unused_ignores(reports, app_labels=options["app_labels"])
            self._write(reports_as(options, reports, surface, unused), file)
        if next_file:
            codes += self._write_baseline(next_file, baseline, reports, is_complete=not codes)
        fail_on = failing_severity(options)
        return Exit.worst(codes + [exit_code(report, fail_on, is_strict=options["strict"]) for report in reports])

    def _look(self, options: Mapping[str, Any]) -> tuple[list[Report], list[Exit]]:
        """Return the reports, and the codes of what could not be looked at."""
        reports, codes = [], []
        for name, look in looks(options).items():
            try:
                with shown_progress(f"looking at {name}") as progress:
                    reports.append(look(progress=progress))
            except (TargetUnreachableError, ConfigurationError) as error:  # of one: another may do
                codes.append(self.complain(error))
        return reports, codes

    def _write(self, result: str, file: Path | None) -> None:
        if file is None:
            self.stdout.write(result, ending="")
        else:
            write_whole(file, result)

    def _write_baseline(
        self, file: Path, old: Baseline | None, reports: Sequence[Report], *, is_complete: bool
    ) -> list[Exit]:
        """Write what was found; nothing after a look that missed something, or the next one would find that new."""
        if is_complete and all(map(is_whole, reports)):
            write_baseline(file, next_baseline(old, reports))
            return []
        return [self.complain(f"the baseline {file} was not written: not everything could be looked at")]
