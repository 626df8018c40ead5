"""`manage.py dbsnapshot`: keep the counters of the databases, once or again and again."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import Error, ProgrammingError, connections

from dbops.conf import config
from dbops.errors import ConfigurationError, TargetUnreachableError, UsageError
from dbops.history.recorder import age_of_last, take_round
from dbops.management.command import DbopsCommand, Exit
from dbops.management.names import check_aliases
from dbops.snapshot.amounts import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from django.core.management.base import CommandParser

    from dbops.history.recorder import Round

#: Rounds come no more often: reading the counters takes its time too.
SHORTEST_S: Final = 10
#: What is said of what a round has kept, by section.
_COUNTED: Final = {"table_statistics": "table", "index_statistics": "index", "statement_counters": "statement"}


class Command(DbopsCommand):
    help = "Keep the counters of databases, for rates, windows and forecasts, and the findings of a look every hour."
    needs_advice = True
    examples = (
        ("manage.py dbsnapshot", "once, for cron: every minute, or every ten"),
        ("manage.py dbsnapshot --loop 60", "every minute until it is stopped, for a container or a service"),
        ("manage.py dbsnapshot --loop 60 --look-every 0", "the counters alone, no looks"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", metavar="ALIAS", action="append", default=[], help="repeatable")
        parser.add_argument(
            "--loop",
            metavar="SECONDS",
            type=int,
            help=f"again and again, this many seconds apart ({SHORTEST_S} at least)",
        )
        parser.add_argument(
            "--look-every",
            metavar="SECONDS",
            type=int,
            default=3600,
            help="how old the last whole look may become before there is another, 0 for none (default: 3600)",
        )

    def run(self, **options: Any) -> Exit:
        check_aliases(options["database"])
        aliases = options["database"] or config().databases
        if options["look_every"] < 0:
            message = "--look-every cannot be negative"
            raise UsageError(message, hint="a number of seconds, 0 for no looks")
        interval_s = options["loop"]
        if interval_s is not None and interval_s < SHORTEST_S:
            message = f"--loop {interval_s} is too often"
            raise UsageError(message, hint=f"{SHORTEST_S} seconds at least; 60 is what it is made for")
        look_every = timedelta(seconds=options["look_every"]) if options["look_every"] else None
        if interval_s is None:
            return Exit.worst([self._round(alias, look_every, options["verbosity"]) for alias in aliases])
        self._loop(aliases, interval_s, look_every, options["verbosity"])
        return Exit.FINE

    def switched_off(self, **options: Any) -> Exit:
        """Say that nothing is kept; a container that loops stays, as it would only be started again."""
        self.stderr.write('dbsnapshot: nothing is kept: DBOPS["ENABLED"] is False', lambda text: text)
        if options["loop"] is not None:
            with _stopped_by_signals() as stop:
                stop.wait()
        return Exit.FINE

    def _loop(self, aliases: Sequence[str], interval_s: int, look_every: timedelta | None, verbosity: int) -> None:
        """Take rounds until somebody stops us; what cannot be reached is tried again in the next round."""
        taken_at: dict[str, float] = {}
        with _stopped_by_signals() as stop:
            while not stop.is_set():
                began = time.monotonic()
                for alias in aliases:
                    if not self._is_somebody_elses(alias, interval_s, taken_at.get(alias)):
                        self._round(alias, look_every, verbosity)
                    taken_at[alias] = time.monotonic()
                connections.close_all()  # a loop needs none while it waits
                stop.wait(max(0.0, began + interval_s - time.monotonic()))

    def _is_somebody_elses(self, alias: str, interval_s: int, taken_at: float | None) -> bool:
        """Whether another process has just kept the counters: two loops would keep everything twice."""
        try:
            age = age_of_last(alias)
        except Error:
            return False  # the round will say why
        if age is None or age.total_seconds() > interval_s / 2:
            return False
        return taken_at is None or time.monotonic() - taken_at > interval_s / 2

    def _round(self, alias: str, look_every: timedelta | None, verbosity: int) -> Exit:
        began = time.monotonic()
        try:
            kept = take_round(alias, look_every=look_every)
        except (TargetUnreachableError, ConfigurationError) as error:
            return self.complain(error)
        except Error as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            hint = "\nHINT: manage.py migrate makes their tables" if isinstance(error, ProgrammingError) else ""
            return self.complain(f"the counters of {alias} cannot be kept: {lines[0]}{hint}")
        if kept.interrupted:
            return self.complain(f"the look at {alias} was interrupted: {kept.interrupted}")
        if verbosity > 0:
            self.stdout.write(f"{alias}: {_said(kept)}, {time.monotonic() - began:.1f} s")
        if verbosity > 1:
            for reason in kept.unread:
                self.stdout.write(f"  not kept: {reason}")
        self.stdout.flush()
        if kept.look is not None and kept.look.error:
            return self.complain(f"the look at {alias} came to nothing: {kept.look.error}")
        return Exit.FINE


def _said(kept: Round) -> str:
    counted = [plural(kept.counted[name], what) for name, what in _COUNTED.items() if name in kept.counted]
    return ", ".join([*counted, *(["a whole look"] if kept.look and not kept.look.error else [])]) or "nothing was kept"


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set: the round that is being taken is finished."""
    stop = threading.Event()

    def set_it(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, set_it) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
