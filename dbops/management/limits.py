"""What commands that work at tables one by one have in common: their time limits, and what they end with."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from dbops.findings.vacuum_advice import Outcome
from dbops.maintenance.vacuum_run import Limits
from dbops.management.command import Exit
from dbops.snapshot.amounts import format_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.core.management.base import CommandParser

#: What each outcome ends with; all others are warnings.
CODES: Final = {
    Outcome.DONE: Exit.FINE,
    Outcome.UNPROVED: Exit.FOUND,
    Outcome.FAILED: Exit.FAILED,
    Outcome.INTERRUPTED: Exit.FAILED,
}


def add_limits(parser: CommandParser) -> None:
    """Add the options that say how long what changes a database may take."""
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds(0),
        default=3600,
        help="with --apply: stop the work at one table or index after this long, 0 for never (default: 3600)",
    )
    parser.add_argument(
        "--run-timeout",
        metavar="SECONDS",
        type=_seconds(0),
        default=0,
        help="with --apply: stop all work at a database after this long, 0 for never (default: 0)",
    )
    parser.add_argument(
        "--lock-timeout",
        metavar="SECONDS",
        type=_seconds(1),
        default=2,
        help="with --apply: skip a table that is locked for longer (default: 2)",
    )


def limits_of(options: Mapping[str, Any]) -> Limits:
    """Return the limits that the options give."""
    return Limits(lock_s=options["lock_timeout"], table_s=options["timeout"], run_s=options["run_timeout"])


def limit_words(options: Mapping[str, Any]) -> str:
    """Return the limits as a plan says them."""
    each, run = options["timeout"], options["run_timeout"]
    words = [f"at most {format_seconds(each)} for each" if each else "as long as each takes"]
    words += [f"{format_seconds(run)} for all"] if run else []
    return ", ".join([*words, f"a table locked for more than {options['lock_timeout']} s is skipped"])


def _seconds(least: int) -> Callable[[str], int]:
    """Return what reads a whole number of seconds, `least` or more."""

    def read(text: str) -> int:
        if text.isascii() and text.isdecimal() and least <= int(text) <= 2_000_000:
            return int(text)
        message = f"{text!r} is not a whole number of seconds from {least} to 2000000"
        raise argparse.ArgumentTypeError(message)

    return read
