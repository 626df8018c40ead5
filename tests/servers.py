"""Real servers for the tests, as a pytest plugin: a throw-away PostgreSQL of every major version found here.

`server` and `database` run a test once per major version ("pg15", "pg18"), or on those that `--servers` names; a test
for one version says `@pytest.mark.parametrize("server", ["pg18"], indirect=True)`. Tests with Django's `db` use the
server that `--django-server` names, unless DATABASE_URL does. `--pg-bin` adds programs to those that are found. Servers
start when first asked for and end with the tests.
"""

from __future__ import annotations

import itertools
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from dbops.embedded.binaries import Binaries, find_binaries, installed_binaries
from dbops.embedded.postgres import Cluster
from dbops.embedded.provision import DATABASE, ROLE, provision
from dbops.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

ALWAYS_TESTED = (15, 18)
"""The oldest and the newest we support: reported as skipped where they are missing."""

UNCOUNTED = "-c pg_stat_statements.track=none"
"""Options of a connection whose statements are no UTF8: the texts that a server counts are read as a whole or not."""

_PROJECT = Path(__file__).parent.parent
_database_numbers = itertools.count(1)


@dataclass(frozen=True)
class Server:
    """A running throw-away server."""

    cluster: Cluster
    binaries: Binaries

    @property
    def major(self) -> int:
        return self.binaries.major

    def dsn(self, database: str = "postgres", *, user: str = "postgres") -> str:
        return self.cluster.dsn(database, user=user)

    def connect(self, database: str = "postgres", **options: Any) -> psycopg.Connection:
        """A superuser's autocommit connection; the caller closes it."""
        return psycopg.connect(self.dsn(database), **{"autocommit": True, **options})


@dataclass
class Database:
    """An empty database made from template0, dropped after the test with the roles that were made through it."""

    server: Server
    name: str
    _opened: ExitStack
    _roles: list[str] = field(default_factory=list)
    _own: psycopg.Connection | None = None

    @property
    def major(self) -> int:
        return self.server.major

    @property
    def dsn(self) -> str:
        """The superuser's."""
        return self.server.dsn(self.name)

    def dsn_for(self, role: str) -> str:
        return make_conninfo(self.dsn, user=role)

    def connect(self, role: str | None = None, **options: Any) -> psycopg.Connection:
        """A new autocommit connection, a superuser's or the role's, closed after the test."""
        dsn = self.dsn if role is None else self.dsn_for(role)
        return self._opened.enter_context(psycopg.connect(dsn, **{"autocommit": True, **options}))

    def execute(self, statement: str | sql.Composable, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement, or several without parameters, as superuser, and give its rows.

        Always in the same session, outside transactions.
        """
        if self._own is None:
            self._own = self.connect()
        # psycopg wants literal statements, to keep data out of them; a test's are what the test says.
        cursor = self._own.execute(statement, parameters or None)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []

    def create_role(self, name: str, *, pg_monitor: bool = False, login: bool = True) -> str:
        """Make a role without any other right; gives its name back."""
        role = sql.Identifier(name)
        self.execute(sql.SQL("CREATE ROLE {} {}").format(role, sql.SQL("LOGIN" if login else "NOLOGIN")))
        self._roles.append(name)
        if pg_monitor:
            self.execute(sql.SQL("GRANT pg_monitor TO {}").format(role))
        return name


@dataclass
class Servers:
    """Starts a server of a major version when it is first asked for."""

    binaries: dict[int, Binaries]
    directory: Path
    _ends: ExitStack
    _started: dict[int, Server] = field(default_factory=dict)

    def get(self, name: str) -> Server:
        """The server "pg18"; skips the test when there is no such server on this machine."""
        major = int(name.removeprefix("pg"))
        if major not in self.binaries:
            pytest.skip(f"there is no PostgreSQL {major} on this machine that can be started")
        if major not in self._started:
            directory = self.directory / name
            directory.mkdir(mode=0o755)
            # Healthy in the eyes of the checks, so not with fsync off; no test waits for the disk all the same.
            settings = {"synchronous_commit": "off"}
            cluster = Cluster(directory / "data", directory / "socket", settings, prepare=provision)
            self._guard(cluster, directory)
            try:
                cluster.ensure_started(lambda _major: [self.binaries[major]])
            except EmbeddedServerError as error:
                pytest.skip(f"PostgreSQL {major} of {self.binaries[major].directory} does not work: {error}")
            self._started[major] = Server(cluster, self.binaries[major])
        return self._started[major]

    def _guard(self, cluster: Cluster, directory: Path) -> None:
        guard = self._ends.enter_context(
            subprocess.Popen(
                (sys.executable, "-m", "tests.server_guard"),
                stdin=subprocess.PIPE,
                cwd=_PROJECT,
                start_new_session=True,
            )
        )
        assert guard.stdin is not None
        guard.stdin.write(pickle.dumps((cluster, directory)))
        guard.stdin.flush()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--django-server",
        metavar="pgNN",
        default=f"pg{max(ALWAYS_TESTED)}",
        help="the PostgreSQL for tests that use Django's connection (default: %(default)s)",
    )
    parser.addoption(
        "--servers",
        metavar="pgNN,pgNN",
        type=lambda names: names.split(","),
        help="the PostgreSQLs for tests that run on each (default: all that are found)",
    )
    parser.addoption(
        "--pg-bin",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="programs of one more PostgreSQL; may be given several times",
    )


@cache
def _binaries(config: pytest.Config) -> dict[int, Binaries]:
    found = [*installed_binaries(), *(find_binaries(directory)[0] for directory in config.getoption("--pg-bin"))]
    return {binaries.major: binaries for binaries in found}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    chosen = any(mark.args[0] == "server" for mark in metafunc.definition.iter_markers("parametrize"))
    if "server" in metafunc.fixturenames and not chosen:
        majors = sorted({*ALWAYS_TESTED, *_binaries(metafunc.config)})
        names = metafunc.config.getoption("--servers") or [f"pg{major}" for major in majors]
        metafunc.parametrize("server", names, indirect=True)


def _fast_place() -> Path:
    """Where the servers' data goes: into memory where there is room, since they are honest about durability."""
    memory = Path("/dev/shm")  # noqa: S108 -- mkdtemp makes a directory of its own there
    is_roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 * 1024**3
    return memory if is_roomy and os.access(memory, os.W_OK | os.X_OK) else Path("/tmp")  # noqa: S108


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Iterator[Servers]:
    with ExitStack() as ends:
        directory = Path(tempfile.mkdtemp(prefix="dbops-tests-", dir=_fast_place()))
        ends.callback(shutil.rmtree, directory, ignore_errors=True)
        directory.chmod(0o755)
        yield Servers(_binaries(pytestconfig), directory, ends)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, servers: Servers) -> Server:
    return servers.get(request.param)


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    name = f"dbops_{os.getpid()}_{next(_database_numbers)}"
    identifier = sql.Identifier(name)
    with server.connect() as connection, ExitStack() as opened:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(identifier))
        made = Database(server, name, opened)
        try:
            yield made
        finally:
            opened.close()
            # Statements of no database that there is would slow down every look, and drop those of other tests.
            with server.connect(DATABASE) as counting:
                counting.execute(
                    "SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = %s", [name]
                )
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))
            for role in made._roles:
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory with a short path that every account can enter."""
    path = Path(tempfile.mkdtemp(prefix="dbops-t-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    request: pytest.FixtureRequest, django_db_modify_db_settings_parallel_suffix: None, servers: Servers
) -> None:
    """Point Django's default connection at a throw-away server, as an ordinary role, before test databases are made."""
    from django.db import connections

    if "DATABASE_URL" in os.environ or "REAL_DB_URL" in os.environ:
        return
    chosen = servers.get(request.config.getoption("--django-server"))
    connections.settings["default"].update(
        HOST=str(chosen.cluster.socket_dir), PORT=str(5432), USER=ROLE, NAME=DATABASE, PASSWORD=""
    )
