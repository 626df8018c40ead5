"""How the project reaches its databases, from DATABASES and the environment that libpq reads: nothing secret."""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from dbops.snapshot.django_rows import DjangoDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: libpq's own default.
_DEFAULT_SSL_MODE: Final = "prefer"
#: psycopg_pool's own default.
_POOL_MIN_SIZE: Final = 4
#: The further, the later.
_KINDS: Final = ("socket", "loopback", "network")


def django_databases(target: str) -> Iterator[DjangoDatabase]:
    """Iterate over the PostgreSQL databases of DATABASES; `target` is the alias that is looked at."""
    for alias in connections:
        try:
            wrapper = connections[alias]
        except ImproperlyConfigured:  # nobody can connect to it, so there is nothing to know of how
            continue
        if wrapper.vendor == "postgresql":
            settings = wrapper.settings_dict
            yield DjangoDatabase(
                alias=alias,
                is_target=alias == target,
                host_kind=_host_kind(settings),
                ssl_mode=_ssl_mode(settings["OPTIONS"]),
                is_same_server=_address(settings) == _address(connections[target].settings_dict),
                pool_size=_pool_size(settings["OPTIONS"]),
                keeps_connections=settings["CONN_MAX_AGE"] != 0,
                uses_cursors=not settings.get("DISABLE_SERVER_SIDE_CURSORS"),
                prepares=settings["OPTIONS"].get("prepare_threshold") is not None,
            )


def _address(settings: Mapping[str, Any]) -> tuple[str, str]:
    return str(settings["HOST"] or ""), str(settings["PORT"] or "")


def _pool_size(options: Mapping[str, Any]) -> int | None:
    """Return the most connections that the pool opens; without a maximum a pool keeps to its minimum."""
    pool = options.get("pool")
    if not pool:
        return None
    given = {} if pool is True else pool
    return int(given.get("max_size") or given.get("min_size", _POOL_MIN_SIZE))


def _ssl_mode(options: Mapping[str, Any]) -> str | None:
    given = options.get("sslmode") or os.environ.get("PGSSLMODE")
    if given:
        return str(given)
    return None if _has_service(options) else _DEFAULT_SSL_MODE


def _host_kind(settings: Mapping[str, Any]) -> str | None:
    options = settings["OPTIONS"]
    hosts = (
        options.get("hostaddr")
        or settings["HOST"]
        or options.get("host")
        or os.environ.get("PGHOSTADDR")
        or os.environ.get("PGHOST")
    )
    if not hosts:
        return None if _has_service(options) else _KINDS[0]
    return max((_kind(host) for host in str(hosts).split(",")), key=_KINDS.index)


def _kind(host: str) -> str:
    if not host or host.startswith(("/", "@")):
        return "socket"
    try:
        return "loopback" if ipaddress.ip_address(host).is_loopback else "network"
    except ValueError:  # a name
        return "loopback" if host == "localhost" else "network"


def _has_service(options: Mapping[str, Any]) -> bool:
    return bool(options.get("service") or os.environ.get("PGSERVICE"))
