"""`manage.py dbbench`: what is measured, on a database made for it."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbops.benchmark import analysis, slow_query_log
from dbops.benchmark.figures import keep, last_kept
from dbops.benchmark.large_schema import MOST_INDEXES, STANDARD, Size, statements
from dbops.benchmark.page import page
from dbops.benchmark.scratch import BenchmarkBusyError, Scratch, counted
from dbops.benchmark.server import embedded_server, project_directory, server_of
from dbops.management.command import DbopsCommand, Exit
from dbops.management.confirmation import add_confirmation, confirmed
from dbops.management.names import check_aliases
from dbops.management.progress import shown_progress
from dbops.management.surface import check_writable

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.management.base import CommandParser

    from dbops.benchmark.figures import Figures


class Command(DbopsCommand):
    help = "Measure dbops itself, on a database that it makes for that and drops afterwards."
    examples = (
        ("manage.py dbbench analyze", "a look at 10,000 tables on the embedded server, beside its SQL in psql"),
        ("manage.py dbbench analyze --keep -v", "step by step; keep the database for the next run"),
        ("manage.py dbbench analyze --tables 1000 --schemas 50 --partitions 0", "a smaller one"),
        ("manage.py dbbench analyze --database replica --plan", "what would be made on another server"),
        ("manage.py dbbench slowlog", "what the slow-query log costs a statement that is not slow; makes nothing"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="BENCHMARK")
        analyze = actions.add_parser("analyze", help="dbanalyze on a large schema, beside its own SQL in psql")
        analyze.add_argument("--tables", type=_number(1), default=STANDARD.tables, help="default: %(default)s")
        analyze.add_argument(
            "--indexes-per-table",
            type=_number(1, MOST_INDEXES),
            default=STANDARD.indexes_per_table,
            help=f"1 to {MOST_INDEXES}, the primary key's included (default: %(default)s)",
        )
        analyze.add_argument("--schemas", type=_number(1), default=STANDARD.schemas, help="default: %(default)s")
        analyze.add_argument("--partitions", type=_number(0), default=STANDARD.partitions, help="default: %(default)s")
        analyze.add_argument("--runs", type=_number(1), default=3, help="how often each is measured (default: 3)")
        analyze.add_argument("--keep", action="store_true", help="keep the database, for the next run to use")
        analyze.add_argument("--database", metavar="ALIAS", help="make it on the server of this alias; asks first")
        analyze.add_argument("--output", metavar="FILE", type=Path, help="where figures are kept, a line each")
        add_confirmation(analyze)
        slowlog = actions.add_parser("slowlog", help="SELECT 1 through Django, with the slow-query log and without")
        slowlog.add_argument("--statements", type=_number(1), default=5000, help="of each kind (default: %(default)s)")
        slowlog.add_argument("--runs", type=_number(1), default=5, help="how often that is measured (default: 5)")
        slowlog.add_argument("--database", metavar="ALIAS", help="ask the server of this alias")
        slowlog.add_argument("--output", metavar="FILE", type=Path, help="where figures are kept, a line each")
        for benchmark in (analyze, slowlog):
            # Django's own option stands before the benchmark's name alone; it may stand after it, as everywhere else.
            benchmark.add_argument(
                "-v", "--verbosity", type=int, choices=range(4), default=argparse.SUPPRESS, help="see above"
            )

    def run(self, **options: Any) -> Exit:
        if options["database"]:
            check_aliases([options["database"]])
        return self._slowlog(options) if options["action"] == slow_query_log.NAME else self._analyze(options)

    def _slowlog(self, options: dict[str, Any]) -> Exit:
        file = _file(options)
        before = last_kept(file, slow_query_log.NAME, slow_query_log.size(options["statements"]))
        server = server_of(options["database"]) if options["database"] else embedded_server()
        with shown_progress("measuring") as shown:
            figures = slow_query_log.measure(
                server,
                statements=options["statements"],
                runs=options["runs"],
                step=shown or (lambda _name, _done, _total: None),
            )
        keep(figures, file)
        self.stdout.write(slow_query_log.page(figures, before))
        self.stdout.write(f"kept in {file}")
        return Exit.FOUND if any(figures.misses(measure) for measure in slow_query_log.MEASURES) else Exit.FINE

    def _analyze(self, options: dict[str, Any]) -> Exit:
        size = Size(
            tables=options["tables"],
            indexes_per_table=options["indexes_per_table"],
            schemas=options["schemas"],
            partitions=options["partitions"],
        )
        file = _file(options)
        before = last_kept(file, analysis.NAME, asdict(size))
        server = server_of(options["database"]) if options["database"] else embedded_server()
        scratch = Scratch(server, size.database)
        plan = _plan(scratch, size, is_kept=scratch.is_filled(), keep=options["keep"])
        if not confirmed(plan, options, self.stdout, must_ask=options["database"] is not None):
            return Exit.FINE
        try:
            figures = self._measure(scratch, size, options)
        except BenchmarkBusyError as error:
            self.complain(error)
            return Exit.BUSY
        keep(figures, file)
        # What is promised is promised of the standard size: a small schema costs little but what every look does.
        measures = [measure if size == STANDARD else replace(measure, most=None) for measure in analysis.MEASURES]
        self.stdout.write(page(figures, measures, before, verbosity=options["verbosity"]))
        self.stdout.write(f"kept in {file}")
        return Exit.FOUND if any(figures.misses(measure) for measure in measures) else Exit.FINE

    def _measure(self, scratch: Scratch, size: Size, options: dict[str, Any]) -> Figures:
        with shown_progress("measuring") as shown:
            step: Callable[[str, int, int], None] = shown or (lambda _name, _done, _total: None)
            made = counted(statements(size), lambda done: step(f"making {scratch.name}", done, size.relations))
            with scratch.filled(made, keep=options["keep"]):
                return analysis.measure(scratch.server, scratch.name, size, runs=options["runs"], step=step)


def _file(options: dict[str, Any]) -> Path:
    """Return where figures are kept."""
    file: Path = options["output"] or project_directory() / ".dbops" / "benchmarks.jsonl"
    if options["output"]:
        check_writable(file)
    return file


def _plan(scratch: Scratch, size: Size, *, is_kept: bool, keep: bool) -> str:
    made = "uses the kept" if is_kept else "makes the"
    end = "keeps it" if keep else "drops it afterwards"
    return f"{made} database {scratch.name} on {scratch.server.name}, and {end}: {size}"


def _number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return what reads a whole number from `least` to `most`."""

    def read(text: str) -> int:
        if text.isascii() and text.isdecimal() and int(text) >= least and (most is None or int(text) <= most):
            return int(text)
        wanted = f"from {least}" + ("" if most is None else f" to {most}")
        message = f"{text!r} is not a whole number {wanted}"
        raise argparse.ArgumentTypeError(message)

    return read
