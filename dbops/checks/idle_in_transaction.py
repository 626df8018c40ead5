"""A session that has begun a transaction and does nothing in it.

A transaction that is open keeps all it has: the locks on the rows it changed, so that whoever changes them next
waits; the locks on the tables it used, so that an ALTER TABLE waits, and behind that every other statement on that
table; and often a snapshot, so that VACUUM removes no row that died since, in any table, and all of them grow. While
the session is idle that is for nothing. The usual causes are a request to another service, or a wait for a person,
inside transaction.atomic(); a worker that hangs or has lost its way; a shell or a client of a database in which
somebody went to lunch; a pool that gives connections back with their transaction open.

How to fix:

Ending the session ends its transaction. That helps now, and what it had not committed is lost.

What lasts is to leave the transaction before anything that may take long, and a limit: ALTER ROLE … SET
idle_in_transaction_session_timeout lets the server end such sessions by itself. It holds for sessions that begin
afterwards. The code sees a lost connection at its next statement.

Not reported: pg_dump (its leader is idle while its workers dump), sessions of other databases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Basis, Finding, Kind, Severity, Tag, Target, Unseen
from dbops.findings.session_fixes import end_transactions
from dbops.snapshot.amounts import format_seconds, plural
from dbops.snapshot.session_groups import by_account, session_evidence, why_unseen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.snapshot.rows import Server
    from dbops.snapshot.session_rows import Session

TAG = Tag.LIVE
FOR_HEALTH = True


def check(
    sessions: tuple[Session, ...],
    server: tuple[Server, ...],
    *,
    idle_s: float = 60,  # no request is that long between two statements
    critical_s: float = 300,  # by then others have waited, or tables have grown
) -> Iterator[Finding | Unseen]:
    for account, group in by_account(sessions).items():
        yield from (Unseen(account, reason) for reason in why_unseen(group))
        idle = [one for one in group if one.is_idle_in_transaction and not one.is_dump and (one.state_s or 0) >= idle_s]
        if not idle:
            continue
        idle.sort(key=lambda session: -(session.state_s or 0))
        longest = idle[0].state_s or 0
        yield Finding(
            target=Target(Kind.SESSION, account),
            message=_message(idle, longest),
            severity=Severity.CRITICAL if longest >= critical_s else Severity.WARNING,
            basis=Basis.MEASURED,
            evidence={"idle_s": int(longest), **session_evidence(idle)},
            fix=end_transactions(idle, server[0], idle_limit_s=idle_s),
        )


def _message(idle: Sequence[Session], longest_s: float) -> str:
    if len(idle) == 1:
        command = f" since its last {idle[0].command}" if idle[0].command else ""
        who, it = f"Idle in a transaction for {format_seconds(longest_s)}{command}", "it"
    else:
        sessions = plural(len(idle), "session")
        who, it = f"{sessions} are idle in a transaction, the longest for {format_seconds(longest_s)}", "they"
    if any(session.has_written for session in idle):
        return f"{who}: the rows {it} changed stay locked, and VACUUM removes nothing that died since, in any table."
    if any(session.snapshot_age is not None for session in idle):
        return f"{who}: with the snapshot open, VACUUM removes nothing that died since, in any table."
    return f"{who}: an ALTER TABLE on what {it} read waits, and every other statement on that table behind it."
