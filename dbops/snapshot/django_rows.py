"""The rows of the sections that come from the project's settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoDatabase:
    """A PostgreSQL of DATABASES; nothing secret.

    `is_target` marks the one that was looked at. `host_kind` is `socket`, `loopback` or `network` (the furthest of
    several hosts), `ssl_mode` libpq's sslmode, its default where nothing says otherwise; both are None where a service
    file, which was not read, may decide. `is_same_server` says that its host and port are those of the target.

    `pool_size` is the most connections that Django's pool opens in a process, None without a pool. `keeps_connections`
    is CONN_MAX_AGE other than 0; `uses_cursors` says that iterator() makes cursors on the server, `prepares` that the
    driver may prepare statements there.
    """

    alias: str
    is_target: bool
    host_kind: str | None
    ssl_mode: str | None
    is_same_server: bool
    pool_size: int | None
    keeps_connections: bool
    uses_cursors: bool
    prepares: bool
