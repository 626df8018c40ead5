"""manage.py demo: sample data, a few faults, a look at them, and the way into the admin."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.commands.runserver import naiveip_re
from django.db import DEFAULT_DB_ALIAS

from config import faults
from dbops.embedded.invocation import manage
from dbops.errors import UsageError
from dbops.management.command import DbopsCommand, Exit
from dbops.management.progress import shown_progress
from dbops.workloads.registry import SeedRequest, installed_workloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.management.base import CommandParser

    from dbops.management.progress import Step

ADMIN: Final = "demo@example.org"


class Command(DbopsCommand):
    help = "Fill the embedded database with sample data and a few faults, look at it, and say what to try next."
    examples = (
        ("manage.py demo", "10,000 users and 100,000 tasks; running it again is harmless"),
        ("manage.py demo --scale 0.1 --serve", "a tenth of that, and the site on http://127.0.0.1:8000/admin/"),
        ("manage.py demo --remove", "take the planted faults away"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--scale", type=_scale, default=1.0, help="how much data; 1 is 10,000 users (default: 1)")
        parser.add_argument(
            "--serve",
            nargs="?",
            type=_address,
            const="127.0.0.1:8000",
            metavar="ADDR:PORT",
            help="then serve the site (default: 127.0.0.1:8000)",
        )
        parser.add_argument("--remove", action="store_true", help="take the planted faults away, and nothing else")

    def run(self, **options: Any) -> Exit:
        if not settings.EMBEDDED_POSTGRES:
            message = "the demo writes sample data, and this is not the embedded database"
            raise UsageError(message, hint="unset DATABASE_URL to run it on a server of its own")
        with faults.lock(DEFAULT_DB_ALIAS) as is_alone:
            if not is_alone:
                self.complain("another demo is at work on this database\nHINT: wait until it has ended")
                return Exit.BUSY
            if options["remove"]:
                gone = faults.remove(DEFAULT_DB_ALIAS)
                self._say("the planted faults are gone" if gone else "there were no planted faults")
                return Exit.FINE
            self._show(options)
        if options["serve"]:
            # A process of its own, so that it has the role of a web server from its start.
            os.execv(sys.executable, [sys.executable, sys.argv[0], "runserver", "--noreload", options["serve"]])  # noqa: S606
        return Exit.FINE

    def _show(self, options: dict[str, Any]) -> None:
        """Fill, plant, look, and say what comes next."""
        self._step("migrating", lambda _: call_command("migrate", verbosity=0, interactive=False))
        for label, workload in installed_workloads().items():
            self._step(f"filling {label}", partial(_seed, workload.seed, options["scale"]), workload.summary)
        self._step(f"planting {len(faults.FAULTS)} faults in schema {faults.SCHEMA}", _plant)
        for fault in faults.FAULTS:
            self._say(f"    · {fault.title}")
        password = _admin()
        self._say("looking at it all: manage.py dbanalyze\n")
        call_command("dbanalyze", fail_on="never", stdout=self.stdout, no_color=options["no_color"])
        self._next(password, options["serve"])

    def _step(self, what: str, work: Callable[[Step | None], object], summary: str = "") -> None:
        """Do it, and say what it was and how long it took; `summary` has no room in the line that shows progress."""
        started = time.monotonic()
        with shown_progress(what) as step:
            work(step)
        self._say(f"{what}{f': {summary}' if summary else ''} … {time.monotonic() - started:.1f} s")

    def _say(self, line: str) -> None:
        self.stderr.write(line, lambda text: text)

    def _next(self, password: str, serve: str | None) -> None:
        address = serve or "127.0.0.1:8000"
        commands = {
            "dbanalyze --explain exhausted_sequence": "why, and the steps of the remedy",
            "dbanalyze -v 2": "every finding, and how to undo its fix",
            "dbanalyze --format json": "for a program",
            "embedded psql": "the database itself",
            f"runserver {address}": "the site; log in as below",
            "demo --remove": "take the planted faults away",
            "embedded stop": "stop the servers; the data stays",
        }
        if serve:
            del commands[f"runserver {address}"]
        self.stdout.write("\nWhat to look at next")
        for command, purpose in commands.items():
            self.stdout.write(f"  {manage(command)}\n      {purpose}")
        self.stdout.write(f"Log in at http://{address}/admin/")
        self.stdout.write(f"  as {ADMIN} with the password  {password}")
        self.stdout.write(f"or register at http://{address}/account/register/ and keep a list of tasks")
        self.stdout.flush()


def _scale(text: str) -> float:
    with suppress(ValueError):
        scale = float(text)
        if 0.001 <= scale <= 100:
            return scale
    message = f"{text!r} is not a number from 0.001 to 100"
    raise argparse.ArgumentTypeError(message)


def _address(text: str) -> str:
    """Return ADDR:PORT, with the address that runserver takes where there is only a port."""
    found = naiveip_re.match(text)
    if found is None:
        message = f"{text!r} is not a port, nor an address and a port as in 127.0.0.1:8000"
        raise argparse.ArgumentTypeError(message)
    return f"{found['addr'] or '127.0.0.1'}:{found['port']}"


def _seed(seed: Callable[[SeedRequest], None], scale: float, step: Step | None) -> None:
    def progress(done: int, total: int, what: str) -> None:
        if step is not None:
            step(what, done, total)

    seed(SeedRequest(scale=scale, progress=progress))


def _plant(_: Step | None) -> None:
    faults.plant(DEFAULT_DB_ALIAS)


def _admin() -> str:
    """Make the demo's administrator, or give it a new password; return the password."""
    password = secrets.token_urlsafe(12)
    manager = get_user_model()._default_manager
    user = manager.filter(email=ADMIN).first() or manager.create_superuser(email=ADMIN)
    user.set_password(password)
    user.save()
    return password
