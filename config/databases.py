"""DATABASES: from a URL to what Django wants, with the limits and the pool that the role calls for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from config.environment import refused

if TYPE_CHECKING:
    from collections.abc import Mapping

Role = Literal["web", "command"]
ENGINE = "django.db.backends.postgresql"
PARTS = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
EXAMPLE = "postgresql://user:password@host:5432/database, with  @ : / ? # %  in a password percent-encoded (@ is %40)"


def parse_database_url(url: str, *, variable: str = "DATABASE_URL") -> dict[str, Any]:
    """ENGINE, NAME, USER, PASSWORD, HOST, PORT and OPTIONS as libpq itself understands the URL.

    Raises ImproperlyConfigured. libpq's own words are not passed on: they quote the URL, and so the password.
    """
    try:
        scheme = urlsplit(url).scheme
        found = conninfo_to_dict(url) if scheme in {"postgres", "postgresql"} else None
    except (ValueError, psycopg.ProgrammingError):
        raise refused(f"{variable} cannot be read as a URL of PostgreSQL", f"write it as {EXAMPLE}") from None
    if found is None:
        raise refused(f"{variable} is not a URL of PostgreSQL", f"write it as {EXAMPLE}")
    parts = {name: str(found.pop(keyword, "") or "") for name, keyword in PARTS.items()}
    if not parts["NAME"]:
        raise refused(f"{variable} names no database", f"write it as {EXAMPLE}")
    ports = [port for port in parts["PORT"].split(",") if port]
    misread = "@" in parts["NAME"] or "@" in parts["HOST"][1:]  # an abstract socket's name begins with one
    if misread or not all(port.isascii() and port.isdecimal() for port in ports):
        # An unencoded slash in a password puts its rest and the host into the database's name, an unencoded @ puts it
        # into the host's.
        raise refused(f"{variable} cannot be read as a URL of PostgreSQL", f"write it as {EXAMPLE}")
    return {"ENGINE": ENGINE, **parts, "OPTIONS": dict(found)}


def with_limits(
    database: Mapping[str, Any], *, role: Role, connect_timeout_s: int, limits_s: Mapping[str, float]
) -> dict[str, Any]:
    """Add what every session of the role gets; what the URL says itself stays.

    `limits_s` is by the server's setting, 0 for none. It is for requests: a migration or an import may last, so
    commands have none, whatever the role has. JIT is off in both: it costs more than it saves on the statements an ORM
    writes.
    """
    limits = limits_s if role == "web" else dict.fromkeys(limits_s, 0)
    settings = {"jit": "off", **{name: f"{round(limit_s * 1000)}" for name, limit_s in limits.items()}}
    options = {
        "connect_timeout": connect_timeout_s,
        "application_name": f"dbops {role}",
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
    }
    return {**database, "OPTIONS": {**options, **database.get("OPTIONS", {})}}


def with_pool(
    database: Mapping[str, Any], *, size: int, overflow: int, timeout_s: int, recycle_s: int, pre_ping: bool
) -> dict[str, Any]:
    """Add Django's pool of psycopg connections: `size` kept, `overflow` more under load."""
    pool = {"min_size": size, "max_size": size + overflow, "timeout": timeout_s, "max_lifetime": recycle_s}
    return {
        **database,
        "CONN_MAX_AGE": 0,  # the pool keeps connections; Django refuses both
        "CONN_HEALTH_CHECKS": pre_ping,
        "OPTIONS": {**database["OPTIONS"], "pool": pool},
    }
