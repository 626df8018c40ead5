"""What every dbops command shares: exit codes, errors as one clear line, results apart from notes."""

from __future__ import annotations

import argparse
import os
import re
import sys
import traceback
from contextlib import suppress
from enum import IntEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
    handle_default_options,
)
from django.db import connections

from dbops.conf import config
from dbops.errors import DbopsError
from dbops.management.interruption import ended_by_ctrl_c
from dbops.management.surface import Surface
from dbops.slow_queries.log import unwatched

if TYPE_CHECKING:
    from collections.abc import Iterable

_MORE: Final = re.compile(r"-v+")
_SWITCHED_OFF: Final = (
    'dbops is switched off here: DBOPS["ENABLED"] is False\n'
    "HINT: the reference project takes it from DB_OPTIMIZATION_ENABLED"
)
_VERBOSITY: Final = "how much to say: -v (2) and -vv (3) for more, 0 for the least (default: 1)"


class Exit(IntEnum):
    """The exit codes of every command."""

    FINE = 0
    FOUND = 1
    FAILED = 2
    INCOMPLETE = 3
    WARNED = 4
    BUSY = 5

    @classmethod
    def worst(cls, codes: Iterable[Exit]) -> Exit:
        """The code that wins when several apply: 2, then 1, 3, 4, 5; 0 when there is none."""
        present = set(codes)
        order = (cls.FAILED, cls.FOUND, cls.INCOMPLETE, cls.WARNED, cls.BUSY)
        return next((code for code in order if code in present), cls.FINE)


class HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Django's order of options, with the examples left as they were written."""


class DbopsCommand(BaseCommand):
    """A command that ends with an `Exit`.

    A subclass implements `run(**options) -> Exit`. Django answers 1 to every error, which in our contract means
    "findings"; here an error is one line on standard error, then its hint, and 2. `--traceback` shows where it came
    from.
    """

    #: Shown by `--help`: a command line, and what it is for.
    examples: ClassVar[tuple[tuple[str, str], ...]] = ()
    #: Whether it keeps or advises something, and so does nothing where DBOPS["ENABLED"] is False.
    needs_advice: ClassVar[bool] = False
    requires_system_checks = []
    exit_code = Exit.FINE

    def run(self, **options: Any) -> Exit:
        """Do it. Shape of `options`: the parsed arguments by name."""
        raise NotImplementedError

    def handle(self, *_args: Any, **options: Any) -> None:
        self.surface = Surface.of(self.stdout, no_color=options["no_color"], force_color=options["force_color"])
        if self.needs_advice and not config().enabled:
            self.exit_code = self.switched_off(**options)
        else:
            self.exit_code = self.run(**options)

    def switched_off(self, **options: Any) -> Exit:
        """Say that dbops is switched off: whoever asked for advice must not take its absence for a good sign."""
        return self.complain(_SWITCHED_OFF)

    def complain(self, error: Exception | str) -> Exit:
        """Write what went wrong to standard error, the first line after the command's name; return the exit code."""
        text = str(error)
        if isinstance(error, OSError) and error.strerror:
            text = f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror.lower()
        first, *rest = text.splitlines() or [""]
        self.stderr.write(f"{self.__class__.__module__.rpartition('.')[2]}: {first}")
        for line in rest:
            self.stderr.write(line, lambda text: text)
        return Exit.FAILED

    def add_base_argument(self, parser: CommandParser, *args: str, **kwargs: Any) -> None:
        if "-v" in args:
            kwargs["help"] = _VERBOSITY
        super().add_base_argument(parser, *args, **kwargs)

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs.setdefault("formatter_class", HelpFormatter)
        if self.examples:
            lines = [f"  {line}\n      {purpose}" for line, purpose in self.examples]
            kwargs.setdefault("epilog", "\n".join(["examples:", *lines]))
        return super().create_parser(prog_name, subcommand, **kwargs)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the command and leave the process with its exit code."""
        self._called_from_command_line = True
        options = self.create_parser(argv[0], argv[1]).parse_args(_with_verbosity(argv[2:]))
        has_no_colours = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        if has_no_colours and not options.force_color:
            options.no_color = True
        handle_default_options(options)
        by_name = vars(options)
        try:
            with ended_by_ctrl_c(), unwatched():
                self.execute(*by_name.pop("args", ()), **by_name)
                self.stdout.flush()
        except KeyboardInterrupt:
            self.exit_code = self.complain("interrupted")
        except BrokenPipeError:  # the reader of our output has gone: nobody is left to tell
            self.exit_code = Exit.FAILED
        except (DbopsError, CommandError, ImproperlyConfigured, OSError) as error:
            if by_name["traceback"]:
                traceback.print_exc()
            self.exit_code = self.complain(error)
        except Exception as error:  # noqa: BLE001  the edge: Python's own exit code for a crash is 1, "findings" in ours
            traceback.print_exc()
            self.exit_code = self.complain(
                f"crashed with {type(error).__name__}\nHINT: this is a defect of dbops: please report it"
            )
        finally:
            self._drop_unwritable_output()
            with suppress(ImproperlyConfigured):  # unusable settings: there is nothing to close, and it has been said
                connections.close_all()
        sys.exit(self.exit_code)

    def _drop_unwritable_output(self) -> None:
        """Send what standard output will not take nowhere: Python tries it again on its way out, and ends with 120."""
        try:
            self.stdout.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stdout.fileno())
            os.close(nowhere)


def _with_verbosity(arguments: list[str]) -> list[str]:
    """Return `arguments` with `-v` and `-vv` as the number that Django's own option wants; `-v 2` stays."""
    spelled: list[str] = []
    for argument, following in pairwise([*arguments, ""]):
        if argument == "--":
            return spelled + arguments[len(spelled) :]
        is_more = _MORE.fullmatch(argument) and not (argument == "-v" and following.isdigit())
        spelled.append(f"--verbosity={min(len(argument), 3)}" if is_more else argument)
    return spelled
