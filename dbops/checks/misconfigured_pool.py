"""Django's connections are kept in a way that cannot work, or that the server has no room for.

CONN_MAX_AGE together with a pool: each would keep the connection for itself, so that Django refuses to connect at all
("Pooling doesn't support persistent connections").

A pool belongs to a process. Every worker of the web server and of the task queue opens its own, so that what the
server has to hold is processes × max_size, added up over the aliases on that server. When it is more than
max_connections without the reserved ones, or than the limit of the database or the role, it works until there is load:
then the server refuses connections ("too many clients already") to the site, to migrations and to whoever wants to
see what is going on.

CONN_MAX_AGE under ASGI: a request runs in a thread that does not come back, and the connection that it leaves behind
is nobody's until the server is full.

A pooler between Django and the server (PgBouncer and its like) in transaction mode gives each transaction another
server connection. A cursor that iterator() opened outside a transaction, or a statement that was prepared, is not there
any more ("cursor does not exist", "prepared statement does not exist"), now and then and only under load.

How to fix:

Leave CONN_MAX_AGE at 0 where there is a pool, and under ASGI use the pool instead of it. Size max_size so that all
processes together leave some connections for migrations and people: a process rarely needs more than it has threads.
More processes than connections call for PgBouncer. Tell this check how many processes there are:

    DBOPS = {"CHECKS": {"misconfigured_pool": {"processes": 8}}}

In transaction mode set DISABLE_SERVER_SIDE_CURSORS to True and leave prepare_threshold alone, unless PgBouncer is 1.21
or newer with max_prepared_statements. A pool that is opened before the web server forks (gunicorn with --preload) is
shared by processes that read one another's answers: close the connections in the fork's hook.

Not reported: what nobody can see from here. That is what happens before a fork, and the mode of a pooler, so that what
only its transaction mode breaks is mentioned at most: in session mode set it aside under IGNORE. The settings are those
of the process that looks: where a web server has a pool that commands do not have, look with the web server's settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Confidence, Finding, Kind, Severity, Tag, Target
from dbops.snapshot.amounts import format_count, listed, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.django_rows import DjangoDatabase
    from dbops.snapshot.rows import DjangoSettings
    from dbops.snapshot.security_rows import SessionSecurity
    from dbops.snapshot.session_rows import ConnectionLimit, Pooling

TAG = Tag.STRUCTURAL


def check(
    django_databases: tuple[DjangoDatabase, ...],
    django_settings: tuple[DjangoSettings, ...],
    connection_limits: tuple[ConnectionLimit, ...],
    session_security: tuple[SessionSecurity, ...],
    pooling: tuple[Pooling, ...] | None = None,
    *,
    processes: int = 1,  # nobody can see how many there are; what one alone makes too many is certain
) -> Iterator[Finding]:
    for target in django_databases:
        if not target.is_target:
            continue
        is_pooled = any(one.is_pooled for one in pooling or ())
        if target.keeps_connections and target.pool_size is not None:
            yield _refused(target)
        elif target.keeps_connections and django_settings[0].is_asgi_only:
            yield _left_behind(target, is_development=django_settings[0].debug)
        elif is_pooled and (target.uses_cursors or target.prepares):
            yield _lost_between(target)
        elif not is_pooled:  # a pooler's connections are not the server's
            yield from _too_many(
                target,
                [one for one in django_databases if one.is_same_server],
                [one for one in connection_limits if one.scope != "role" or one.name == session_security[0].role],
                processes=processes,
                is_development=django_settings[0].debug,
            )


def _refused(target: DjangoDatabase) -> Finding:
    return Finding(
        target=Target(Kind.POOL, target.alias),
        message=f'DATABASES["{target.alias}"] has a pool and a CONN_MAX_AGE other than 0: '
        "Django refuses to connect with both.",
        severity=Severity.CRITICAL,
        evidence={"pool_size": target.pool_size or 0},
    )


def _left_behind(target: DjangoDatabase, *, is_development: bool) -> Finding:
    return Finding(
        target=Target(Kind.POOL, target.alias),
        message=f'DATABASES["{target.alias}"] keeps connections by CONN_MAX_AGE, and the project is served by ASGI: '
        "the connections that requests leave behind are not used again, and add up.",
        severity=Severity.INFO if is_development else Severity.WARNING,
        confidence=Confidence.MEDIUM,
    )


def _lost_between(target: DjangoDatabase) -> Finding:
    kept = {"server-side cursors": target.uses_cursors, "prepared statements": target.prepares}
    names = listed([name for name, is_used in kept.items() if is_used])
    return Finding(
        target=Target(Kind.POOL, target.alias),
        message=f'A pooler stands between DATABASES["{target.alias}"] and the server, and Django uses {names}: '
        "in transaction mode they are lost between two transactions.",
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,
    )


def _too_many(
    target: DjangoDatabase,
    neighbours: list[DjangoDatabase],
    limits: list[ConnectionLimit],
    *,
    processes: int,
    is_development: bool,
) -> Iterator[Finding]:
    """Judge the pool against the narrowest limit that it does not fit in: a server's holds for all its aliases."""
    for limit in sorted(limits, key=lambda one: one.available):
        pools = [one for one in (neighbours if limit.scope == "server" else [target]) if one.pool_size is not None]
        in_each = sum(one.pool_size or 0 for one in pools)
        if target.pool_size is None or processes * in_each <= limit.available:
            continue
        aliases = listed([one.alias for one in pools])
        yield Finding(
            target=Target(Kind.POOL, target.alias),
            message=f"{plural(processes, 'process', 'processes')} with pools of {format_count(in_each)} connections "
            f"({aliases}) may open {format_count(processes * in_each)}, and {_room(limit)}.",
            severity=Severity.INFO if is_development else Severity.WARNING,
            evidence={
                "processes": processes,
                "pool_size": in_each,
                "aliases": aliases,
                "connections": processes * in_each,
                "connections_available": limit.available,
            },
        )
        return


def _room(limit: ConnectionLimit) -> str:
    if limit.scope == "server":
        return f"the server has {format_count(limit.available)} for ordinary roles"
    return f"the {limit.scope} {limit.name} is limited to {format_count(limit.available)}"
