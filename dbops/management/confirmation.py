"""Plan, then ask, then act: for every command that changes a database."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from dbops.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.core.management.base import CommandParser, OutputWrapper


def add_confirmation(parser: CommandParser) -> None:
    """Add the options that say what to do with a plan."""
    parser.add_argument("--plan", action="store_true", help="only say what would be done")
    parser.add_argument("--no-input", "--yes", action="store_true", dest="unasked", help="do not ask")


def confirmed(plan: str, options: Mapping[str, Any], stdout: OutputWrapper, *, must_ask: bool = True) -> bool:
    """Print `plan`; return whether to go on: not with `--plan`, and elsewhere when somebody says yes.

    `must_ask` is false where nothing that belongs to anybody is touched.

    Raises:
        UsageError: nobody can be asked, or the answer was another one.
    """
    stdout.write(plan)
    stdout.flush()  # the plan comes before what is said about it, in a log too
    if options["plan"]:
        return False
    if options["unasked"] or not must_ask:
        return True
    if not sys.stdin.isatty():
        message = "this changes a server, and nobody can be asked"
        raise UsageError(message, hint="add --yes to go on, or --plan to see only what would be done")
    if not says_yes():
        message = "nothing was done"
        raise UsageError(message)
    return True


def says_yes() -> bool:
    """Ask on the terminal whether to go on. No answer at all, as by Ctrl-D, is a no."""
    try:
        return input("Type yes to go on: ").strip() == "yes"
    except EOFError:
        return False
