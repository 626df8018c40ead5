"""Connections that are nearly all taken.

A server lets in as many connections as max_connections says, less those it keeps for superusers; a role or a database
may have a CONNECTION LIMIT of its own. When all are taken, every further one is refused with "too many clients
already" or "too many connections for role": new processes do not start, requests without an open connection fail, and
so does whoever comes to see what is wrong. Connections count whether they work or not.

How to fix:

Connections that nobody has used for many minutes can be ended; whoever has one in a pool notices at its next use, and
Django opens a new one where CONN_HEALTH_CHECKS is on.

What lasts is to need fewer: see that all processes together, times the size of their pool, stay well below the limit;
lower CONN_MAX_AGE, or use a pool with few connections; put PgBouncer in transaction mode before the server. A higher
limit costs memory for every connection: for a role or a database ALTER ROLE … CONNECTION LIMIT or ALTER DATABASE …
CONNECTION LIMIT takes effect at once; ALTER SYSTEM SET max_connections needs a restart, of the standbys first.

Not reported: what does not count against the limits (replication, autovacuum, parallel workers), dbops' own
connection, a limit of only a few connections, which is there to be reached; a role's limit while it has no session in
this database. The server's own limit is told wherever the sessions are that reach it.
"""

from __future__ import annotations

from collections import Counter
from math import ceil
from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Tag, Target
from dbops.findings.session_fixes import end_abandoned
from dbops.snapshot.amounts import format_seconds, listed, plural
from dbops.snapshot.names import quote_ident
from dbops.snapshot.session_rows import CLIENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Server
    from dbops.snapshot.session_rows import ConnectionLimit, Session

TAG = Tag.LIVE
FOR_HEALTH = True

#: What has a limit, by its scope.
_KINDS: Final = {"server": Kind.SETTING, "database": Kind.DATABASE, "role": Kind.ROLE}
#: How full a limit is after it was raised, as a part of what is reported.
_ROOM: Final = 0.75


def check(
    connection_limits: tuple[ConnectionLimit, ...],
    sessions: tuple[Session, ...],
    server: tuple[Server, ...],
    *,
    used_ratio: float = 0.75,  # a deployment that starts new processes beside the old ones needs the rest
    critical_ratio: float = 0.90,  # one more process with its pool, and it is full
    smallest_limit: int = 5,  # a smaller limit is meant: so many workers there are
    abandoned_s: float = 600,  # a pool gives up a connection by then that it does not need
) -> Iterator[Finding]:
    in_all = min((limit.available for limit in connection_limits if limit.scope == "server"), default=0)
    for limit in connection_limits:
        taken = [session for session in sessions if _takes(session, limit)]
        if limit.available < smallest_limit or not _concerns_us(limit, taken):
            continue
        ratio = len(taken) / limit.available
        if ratio < used_ratio:
            continue
        # What a hidden session is remains unknown: nearly always a connection, at times a parallel worker.
        hidden = sum(session.is_hidden for session in taken)
        is_certain = (len(taken) - hidden) / limit.available >= used_ratio
        abandoned = [one for one in taken if one.is_here and one.state == "idle" and (one.state_s or 0) >= abandoned_s]
        if (len(taken) - len(abandoned)) / limit.available < used_ratio:
            fix: Fix | None = end_abandoned(abandoned, abandoned_s)
        else:
            fix = _raise(limit, len(taken), in_all, server[0], used_ratio)
        yield Finding(
            target=Target(_KINDS[limit.scope], limit.name if limit.scope == "server" else quote_ident(limit.name)),
            message=_message(limit, taken, len(abandoned), abandoned_s),
            severity=Severity.CRITICAL if ratio >= critical_ratio else Severity.WARNING,
            confidence=Confidence.HIGH if is_certain else Confidence.MEDIUM,
            basis=Basis.MEASURED if is_certain else Basis.ESTIMATED,
            evidence=_evidence(limit, taken, hidden),
            fix=fix,
        )


def _takes(session: Session, limit: ConnectionLimit) -> bool:
    """Whether a session takes one of the connections that are limited."""
    if session.role is None or session.database is None or session.kind not in {CLIENT, None}:
        return False
    if limit.scope == "role":
        return session.role == limit.name
    return limit.scope == "server" or session.is_here


def _concerns_us(limit: ConnectionLimit, taken: Sequence[Session]) -> bool:
    """Whether it is this database's affair: a full server is everybody's, a full role's that of whom it works for."""
    return limit.scope != "role" or any(session.is_here for session in taken)


def _message(limit: ConnectionLimit, taken: Sequence[Session], abandoned: int, abandoned_s: float) -> str:
    accounts = Counter(session.account for session in taken).most_common()
    who = listed([f"{count:,} by {account}" for account, count in accounts])
    kept = f" ({limit.reserved} more are kept for superusers)" if limit.reserved else ""
    idle = sum(session.state == "idle" for session in taken)
    unused = f"; {idle:,} do nothing" if idle else ""
    if abandoned:
        unused += f", {abandoned:,} of them here for over {format_seconds(abandoned_s)}"
    return (
        f"{len(taken):,} of {limit.available:,} connections are taken{kept}: {who}{unused}. "
        "When all are, every further one is refused."
    )


def _evidence(limit: ConnectionLimit, taken: Sequence[Session], hidden: int) -> dict[str, int | float | str]:
    evidence: dict[str, int | float | str] = {
        "used": len(taken),
        "available": limit.available,
        "reserved": limit.reserved,
        "used_ratio": round(len(taken) / limit.available, 4),
    }
    if hidden:
        return {**evidence, "hidden": hidden}
    return {
        **evidence,
        "active": sum(session.state == "active" for session in taken),
        "idle": sum(session.state == "idle" for session in taken),
        "idle_in_transaction": sum(session.is_idle_in_transaction for session in taken),
    }


def _raise(limit: ConnectionLimit, used: int, in_all: int, server: Server, used_ratio: float) -> Fix | None:
    """Give a role or a database more; None for the server's own limit, which needs a restart, and beyond that."""
    most = ceil(used / (used_ratio * _ROOM)) if used_ratio else 0
    if limit.scope == "server" or server.is_standby or not limit.most < most <= in_all:
        return None
    change = f"ALTER {limit.scope.upper()} {quote_ident(limit.name)} CONNECTION LIMIT"
    return Statements(sql=(f"{change} {most};",), undo=(f"{change} {limit.most};",)).fix(
        caution=f"somebody chose this limit: the server has {plural(in_all, 'connection')} for all its databases"
    )
