"""`manage.py embedded`: the servers that development, tests and the demo run on."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from django.conf import settings

from dbops.embedded.endpoint import PORT, SUPERUSER, Endpoint
from dbops.embedded.invocation import manage
from dbops.embedded.project import ProjectServers
from dbops.embedded.provision import DATABASE, ROLE
from dbops.errors import EmbeddedServerError, UsageError
from dbops.management.command import DbopsCommand, Exit
from dbops.management.confirmation import says_yes

if TYPE_CHECKING:
    from pathlib import Path

    from django.core.management.base import CommandParser

BASE_DIR: Path = settings.BASE_DIR


class Command(DbopsCommand):
    help = "Start, stop and look at the private PostgreSQL and Valkey that are used where no URL is set."
    examples = (
        ("python manage.py embedded status", "which servers run, and where their data is"),
        (
            "python manage.py embedded psql -- -c 'select now()'",
            "psql on the project's database, as the project's role",
        ),
        ("python manage.py embedded psql --superuser", "the same as the superuser"),
        ("python manage.py embedded logs -n 100", "the end of PostgreSQL's log"),
        ("python manage.py embedded reset --yes", "destroy the database and its server's data, unasked"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        actions.add_parser("start", help="start what does not run")
        actions.add_parser("stop", help="end both servers; PostgreSQL keeps its data")
        actions.add_parser("status", help="say what runs; exits with 1 when one of them does not")
        psql = actions.add_parser("psql", help="open psql; what follows -- is psql's own")
        psql.add_argument("--superuser", action="store_true", help=f"as {SUPERUSER} and not as {ROLE}")
        psql.add_argument("arguments", nargs="*", help="for psql")
        logs = actions.add_parser("logs", help="show the end of a log")
        logs.add_argument("server", nargs="?", choices=("postgres", "valkey"), default="postgres")
        logs.add_argument("-n", "--lines", type=int, default=50, help="how many lines (default: %(default)s)")
        logs.add_argument("-f", "--follow", action="store_true", help="go on showing what is added")
        reset = actions.add_parser("reset", help="stop the servers and destroy their data")
        reset.add_argument("--plan", action="store_true", help="only say what would be destroyed")
        reset.add_argument("--no-input", "--yes", action="store_true", dest="unasked", help="do not ask")

    def run(self, **options: Any) -> Exit:
        servers = settings.EMBEDDED_SERVERS or ProjectServers(BASE_DIR)
        match options["action"]:
            case "start":
                return self._start(servers)
            case "stop":
                stopped = servers.stop()
                self._note("stopped" if stopped else "no embedded server runs")
                return Exit.FINE
            case "status":
                return self._status(servers)
            case "psql":
                return self._psql(servers, options["arguments"], superuser=options["superuser"])
            case "logs":
                return self._logs(servers, options)
            case _:
                return self._reset(servers, options)

    def _start(self, servers: ProjectServers) -> Exit:
        if settings.EMBEDDED_SERVERS is None:
            raise EmbeddedServerError(
                "embedded servers are for development, and DEBUG is off", hint="set DBOPS_EMBEDDED=1 to start them here"
            )
        servers.ensure_started()
        self._note(servers.summary())
        if not settings.EMBEDDED_POSTGRES:
            self._note("the project does not use this PostgreSQL: DATABASE_URL is set")
        return Exit.FINE

    def _status(self, servers: ProjectServers) -> Exit:
        postgres = Endpoint(servers.socket_dir).running()
        valkey = servers.valkey.running()
        rows = [("PostgreSQL", "does not run"), ("data", str(servers.cluster.data_dir))]
        if postgres is not None:
            rows = [("PostgreSQL", f"{postgres.version} ({postgres.source}) runs"), ("data", postgres.data_dir)]
        rows += [("log", str(servers.cluster.log_path)), ("socket", str(servers.cluster.endpoint.socket_path))]
        rows += [("database", f"{servers.cluster.url(DATABASE, user=ROLE)}"), ("", "")]
        if valkey is None:
            rows.append(("Valkey", "does not run"))
        else:
            rows.append((valkey.name, f"{valkey.version} ({valkey.source}) runs"))
        rows += [("log", str(servers.valkey.log_path)), ("cache", servers.cache_url or "no program for one")]
        for name, value in rows:
            self.stdout.write(f"{name:<12}{value}".rstrip())
        return Exit.FOUND if postgres is None or valkey is None else Exit.FINE

    def _psql(self, servers: ProjectServers, arguments: list[str], *, superuser: bool) -> Exit:
        postgres = Endpoint(servers.socket_dir).running()
        if postgres is None:
            raise EmbeddedServerError("the embedded PostgreSQL does not run", hint=manage("embedded start"))
        program = shutil.which("psql", path=postgres.programs_dir) or shutil.which("psql")
        if program is None:
            raise EmbeddedServerError(
                f"there is no psql with the server's programs in {postgres.programs_dir}, nor on PATH",
                hint=f"connect another client to {servers.cluster.url(DATABASE, user=ROLE)}",
            )
        # Each by itself, so that a -d or -U that follows takes another database or role of the same server.
        where = ["-h", str(servers.socket_dir), "-p", str(PORT), "-U", SUPERUSER if superuser else ROLE]
        self._become([program, *where, "-d", DATABASE, *arguments])

    def _logs(self, servers: ProjectServers, options: dict[str, Any]) -> Exit:
        path = servers.cluster.log_path if options["server"] == "postgres" else servers.valkey.log_path
        if not path.exists():
            raise EmbeddedServerError(f"there is no log yet: {path}", hint=manage("embedded start"))
        self._become(["tail", "-n", str(options["lines"]), *(["-F"] if options["follow"] else []), str(path)])

    def _reset(self, servers: ProjectServers, options: dict[str, Any]) -> Exit:
        data_dir = servers.cluster.data_dir
        if not data_dir.exists() and servers.valkey.running() is None:
            self._note("there is no data to destroy")
            return Exit.FINE
        destruction = f" and destroys {data_dir}" if data_dir.exists() else ""
        self.stdout.write(f"stops the embedded servers{destruction}")
        self.stdout.flush()  # the plan comes before what is said about it, in a log too
        if options["plan"]:
            return Exit.FINE
        if not options["unasked"]:
            if not sys.stdin.isatty():
                raise UsageError("reset destroys data and nobody can be asked", hint="say  embedded reset --yes")
            if not says_yes():
                raise UsageError("nothing was destroyed")
        destroyed = servers.reset()
        anew = "destroyed; the next command that needs a database begins anew"
        self._note(anew if destroyed else "stopped; there was no data")
        return Exit.FINE

    def _become(self, argv: list[str]) -> NoReturn:
        """Give this process to another program, which then has the terminal, its signals and the exit code."""
        self.stdout.flush()
        os.execvp(argv[0], argv)  # noqa: S606 -- no shell; psql and tail with our own arguments

    def _note(self, text: str) -> None:
        self.stderr.write(f"embedded: {text}", lambda line: line)
