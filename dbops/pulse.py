"""Whether a database answers at all, asked by whoever must not wait for it."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.utils.connection import ConnectionDoesNotExist

from dbops.collect.session import Session
from dbops.errors import DbopsError, TargetUnreachableError
from dbops.sources import connect_alias

#: libpq and psycopg take no less than two seconds to connect.
LIMITS: Final = {"connect_timeout": 2, "tcp_user_timeout": 2_000}
STATEMENT_TIMEOUT_MS: Final = 1_000
GRACE_MS: Final = 400
#: Whoever refuses this soon is there.
REFUSED_WITHIN_S: Final = 0.5
POOL_TIMEOUT_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """Why a server let no new connection in or did not answer it, None when all went well.

    `is_served` says that it answers all the same, on connections that the site has already.
    """

    reason: str | None = None
    is_served: bool = True


def pulse(alias: str) -> Answer:
    """Ask the server for a sign of life, on a connection of our own: none of the pool's, which may have none to give.

    Where that is refused at once, as by a server that has no connection left, one of the pool's is asked.
    """
    started_s = monotonic()
    try:
        with connect_alias(alias, limits=LIMITS) as (connection, error):
            Session(connection, error, statement_timeout_ms=STATEMENT_TIMEOUT_MS, grace_ms=GRACE_MS).ping()
    except TargetUnreachableError as error:
        is_refused = monotonic() - started_s < REFUSED_WITHIN_S
        return Answer(error.message, is_served=is_refused and _serves_the_pool(alias))
    except DbopsError as error:
        return Answer(error.message, is_served=False)
    return Answer()


def _serves_the_pool(alias: str) -> bool:
    """Whether the server answers on one of the connections that this process's pool has."""
    pool, wrapper = open_pool(alias), cast("Any", connections[alias])
    if pool is None:
        return False
    try:
        with pool.connection(timeout=POOL_TIMEOUT_S) as connection:
            connection.execute("SELECT 1")
    except wrapper.Database.Error:
        return False
    return True


def open_pool(alias: str) -> Any:
    """Return this process's pool of psycopg connections; None where it has none, or none that was used yet."""
    try:
        pool = getattr(connections[alias], "pool", None)
    except (ConnectionDoesNotExist, ImproperlyConfigured):  # `pulse` says so
        return None
    return None if pool is None or pool.closed else pool
