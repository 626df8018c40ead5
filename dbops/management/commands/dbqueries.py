"""`manage.py dbqueries`: what statements cost in a window, and the plan of one of them."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dbops import __version__
from dbops.conf import config
from dbops.errors import DbopsError, UsageError
from dbops.findings.statement_ranking import By
from dbops.management.command import DbopsCommand, Exit
from dbops.management.dsn import read_dsn
from dbops.management.moments import moment
from dbops.management.names import check_aliases, refuse_together
from dbops.management.progress import shown_progress
from dbops.management.statement_look import UnknownStatementError, Wanted, look
from dbops.management.surface import Surface, check_writable, write_whole
from dbops.render.queries import render_json, render_text
from dbops.sources import connect_alias, connect_dsn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from django.core.management.base import CommandParser

    from dbops.findings.statement_ranking import StatementReport

_LARGEST: Final = 2**63


class Command(DbopsCommand):
    help = "Say which statements cost most in a window, how they were before it, and how one of them is planned."
    examples = (
        ("manage.py dbqueries", "the ten that took most time, of the last day that was kept"),
        ("manage.py dbqueries --by temp --since 7d --limit 20", "what writes temporary files, of a week"),
        ("manage.py dbqueries --query 3416920135772811", "one statement in full"),
        ("manage.py dbqueries --explain 3416920135772811", "its generic plan, read for you; nothing is carried out"),
        ("manage.py dbqueries --dsn postgresql://me@db.example/shop --format json", "any database, for a program"),
    )

    needs_advice = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", metavar="ALIAS", action="append", default=[], help="repeatable")
        parser.add_argument("--dsn", help="any database: a DSN without password, - for standard input, or DBOPS_DSN")
        parser.add_argument("--by", choices=[by.value for by in By], default=By.TOTAL.value, help="default: total time")
        parser.add_argument(
            "--since",
            metavar="TIME",
            help="when the window begins: 24h, 7d, 2026-11-30T18:00 (default: 24h, of what was kept)",
        )
        parser.add_argument("--limit", metavar="N", type=_count, default=10, help="so many statements (default: 10)")
        parser.add_argument("--query", metavar="QUERYID", type=_query_id, help="one statement in full")
        parser.add_argument(
            "--explain",
            metavar="QUERYID",
            type=_query_id,
            help="one statement in full with its generic plan; it is planned, never carried out",
        )
        parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
        parser.add_argument("--output", metavar="FILE", type=Path, help="write to a file, whole or not at all")

    def run(self, **options: Any) -> Exit:
        if options["output"]:
            check_writable(options["output"])
        if options["query"] is not None and options["explain"] is not None:
            message = "--query and --explain exclude each other: a plan comes with the statement in full"
            raise UsageError(message, hint="leave one of them out")
        wanted = _wanted(options)
        reports: list[StatementReport] = []
        codes: list[Exit] = []
        unknown: list[UnknownStatementError] = []
        for name, (alias, connect) in _targets(options).items():
            try:
                with shown_progress(f"looking at {name}") as progress, connect() as (connection, error):
                    reports.append(look(connection, error, wanted, alias=alias, progress=progress))
            except UnknownStatementError as error_of_one:
                unknown.append(error_of_one)
            except UsageError:
                raise
            except DbopsError as error_of_one:  # another database may do
                codes.append(self.complain(error_of_one))
        if unknown and not reports:
            codes.append(self.complain(unknown[0]))
        if reports:
            self._write(reports, options)
        is_other_window = options["since"] is not None and any(one.window.source != "history" for one in reports)
        return Exit.worst([*codes, Exit.WARNED if is_other_window else Exit.FINE])

    def _write(self, reports: list[StatementReport], options: Mapping[str, Any]) -> None:
        if options["format"] == "json":
            result = render_json(reports, generated_at=datetime.now(UTC), version=__version__)
        else:
            surface = Surface() if options["output"] else self.surface
            result = render_text(
                reports,
                width=surface.width,
                colour=surface.colour,
                encoding=surface.encoding,
                verbosity=options["verbosity"],
            )
        if options["output"] is None:
            self.stdout.write(result, ending="")
        else:
            write_whole(options["output"], result)


def _wanted(options: Mapping[str, Any]) -> Wanted:
    return Wanted(
        by=By(options["by"]),
        limit=options["limit"],
        since=moment(options["since"], now=datetime.now(UTC)) if options["since"] else None,
        query_id=options["query"] if options["explain"] is None else options["explain"],
        has_plan=options["explain"] is not None,
    )


def _targets(
    options: Mapping[str, Any],
) -> dict[str, tuple[str | None, Callable[[], AbstractContextManager[tuple[Any, type[Exception]]]]]]:
    """Return what to look at, by its name: an alias that was named wins over the variable DBOPS_DSN.

    Raises:
        ConfigurationError, UsageError: names of nothing, or options that exclude each other.
    """
    if options["dsn"]:
        refuse_together("--dsn", options, "database", why="a database given by its DSN has no alias")
    check_aliases(options["database"])
    dsn = None if options["database"] else read_dsn(options["dsn"], sys.stdin)
    if dsn is not None:
        return {"the database of the DSN": (None, partial(connect_dsn, dsn))}
    return {alias: (alias, partial(connect_alias, alias)) for alias in options["database"] or config().databases}


def _count(text: str) -> int:
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= 100_000:
        return int(text)
    message = f"{text!r} is not a whole number from 1 to 100000"
    raise argparse.ArgumentTypeError(message)


def _query_id(text: str) -> int:
    """Read a query id: 64 bits with a sign."""
    if re.fullmatch(r"-?\d{1,19}", text) and -_LARGEST <= int(text) < _LARGEST:
        return int(text)
    message = f"{text!r} is no query id: manage.py dbqueries lists them"
    raise argparse.ArgumentTypeError(message)
