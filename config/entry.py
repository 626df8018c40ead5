"""The ways into the project: the command line and a web server.

Each says which role it has before the settings are read, and starts the embedded servers where they are used.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections

from dbops.errors import DbopsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.databases import Role
    from dbops.embedded.project import ProjectServers

FILE_CACHE = "config.file_cache.LockedFileBasedCache"

role: Role = "command"

WEB_COMMANDS = frozenset({"runserver"})
WITHOUT_SERVERS = frozenset(
    {
        "builddocs",
        "collectstatic",
        "compilemessages",
        "dbhealth",
        "diffsettings",
        "embedded",
        "findstatic",
        "help",
        "makemessages",
        "startapp",
        "startproject",
        "version",
    }
)
"""Commands that never ask a database; `embedded` sees to the servers itself."""

HELP = frozenset({"--help", "-h", "--version"})
ELSEWHERE = frozenset({"--dsn", "--explain", "--list"})
"""Options that make a command of dbops look at another database, or at none."""

FAILED = 2
"""Could not do it; 1 would say that a check found something."""

CONNECTION_CLASSES = ("08", "57P")
"""SQLSTATE classes of a connection that was lost; a failed attempt to connect has no SQLSTATE."""


def command_line(argv: Sequence[str]) -> int:
    """Run Django's command line. Its exit code; what keeps it from working is one line on standard error."""
    global role  # noqa: PLW0603 -- said once, before the settings are read
    role = "web" if argv[1:2] and argv[1] in WEB_COMMANDS else "command"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        if needs_servers(argv):
            start_servers()
            if role == "web":
                _try_connection()
        execute_from_command_line(list(argv))
    except (DbopsError, ImproperlyConfigured, OperationalError) as error:
        message = _connection_message(error) if isinstance(error, OperationalError) else str(error)
        if message is None or "--traceback" in argv:
            raise
        sys.stderr.write(f"{Path(argv[0]).name}: {message}\n")
        return FAILED
    return 0


def web() -> None:
    """What wsgi.py and asgi.py do before they make the application."""
    global role  # noqa: PLW0603 -- as above
    role = "web"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    start_servers()


def needs_servers(argv: Sequence[str]) -> bool:
    """Whether a command line may ask the project's own database."""
    if len(argv) < 2 or argv[1].startswith("-") or argv[1] in WITHOUT_SERVERS:
        return False
    options = {word.partition("=")[0] for word in argv[2:]}
    if not argv[1].startswith("db") or argv[1] == "dbshell":  # Django's own
        return not options & HELP
    if os.environ.get("DBOPS_DSN", "").strip() and all(word.startswith("-") for word in argv[2:]):
        return "--database" in options
    return not options & (HELP | ELSEWHERE)


def start_servers() -> None:
    """Start the embedded servers that the settings use, and say so when one was started or somebody looks on."""
    from django.conf import settings  # noqa: PLC0415 -- reads the role, which has to be known first

    servers: ProjectServers | None = settings.EMBEDDED_SERVERS
    started = servers is not None and servers.ensure_started(
        postgres=settings.EMBEDDED_POSTGRES, valkey=settings.EMBEDDED_VALKEY
    )
    # The development server's reloader runs all of this again in a child, which says nothing more.
    if not (started or role == "web" or sys.stderr.isatty()) or os.environ.get("RUN_MAIN") == "true":
        return
    if servers is not None and (settings.EMBEDDED_POSTGRES or settings.EMBEDDED_VALKEY):
        used = servers.summary(postgres=settings.EMBEDDED_POSTGRES, valkey=settings.EMBEDDED_VALKEY)
        sys.stderr.write(f"dbops: {used}\n")
    if settings.CACHES["default"]["BACKEND"] == FILE_CACHE:
        sys.stderr.write("dbops: no Valkey or Redis here, so the cache is in files and slow · set REDIS_URL\n")


def _try_connection() -> None:
    """Raise OperationalError now: raised in the development server's own thread it would not end the process."""
    connection = connections[DEFAULT_DB_ALIAS]
    with connection.wrap_database_errors, psycopg.connect(**connection.get_connection_params()):
        pass


def _connection_message(error: OperationalError) -> str | None:
    """What to say when the server was not reached, or lost; None when it answered that it could not do something."""
    cause = error.__cause__
    if not isinstance(cause, psycopg.OperationalError):
        return None
    if cause.sqlstate is not None and not cause.sqlstate.startswith(CONNECTION_CLASSES):
        return None
    first, *rest = [line.strip() for line in str(cause).splitlines() if line.strip()] or ["no reason given"]
    reason = "; ".join([first.removeprefix("connection failed: ").removeprefix("connection is bad: "), *rest])
    return f"the database cannot be reached: {reason}\nHINT: see whether DATABASE_URL is right and the server runs"
