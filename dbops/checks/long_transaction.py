"""A transaction that has been open for very long.

VACUUM removes no row that died after the oldest transaction began, in any table: while one stays open, all tables that
are written grow, and so do their indexes, and neither shrinks again by itself. What it has locked stays locked: an
ALTER TABLE on a table that it has read waits, and every other statement on that table behind it. A batch that changes
a million rows in one transaction does all this for its whole length, and loses everything when it fails at the end.

How to fix:

What goes on for too long now can be stopped: SELECT pg_cancel_backend(pid) asks a running statement to end, which is
the milder way; ending the session ends the transaction for certain. What it had not committed is lost.

What lasts is to do less in one transaction: commit after every few thousand rows, read with .iterator() outside of
transaction.atomic(), give reports a statement_timeout, or a standby. From PostgreSQL 17 on ALTER ROLE … SET
transaction_timeout lets the server end what is longer; give it to the role of the web requests, not to the one that
migrates.

Not reported: VACUUM and ANALYZE, CREATE INDEX and REINDEX CONCURRENTLY, pg_dump, replication; sessions of other
databases. One that was idle for most of its time is idle_in_transaction's; one that waited for a lock for most of its
time is what blocked_lock names the cause of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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

#: Maintenance that is meant to last, and does it without holding others up.
_PATIENT: Final = frozenset({"VACUUM", "ANALYZE", "ANALYSE", "CREATE INDEX CONCURRENTLY", "REINDEX CONCURRENTLY"})


def check(
    sessions: tuple[Session, ...],
    server: tuple[Server, ...],
    *,
    open_s: float = 300,  # ten times the longest request that people wait for
    critical_s: float = 1800,  # autovacuum has come by many times for nothing
) -> Iterator[Finding | Unseen]:
    for account, group in by_account(sessions).items():
        yield from (Unseen(account, reason) for reason in why_unseen(group))
        found = [session for session in group if (session.transaction_s or 0) >= open_s and _is_at_work(session)]
        if not found:
            continue
        found.sort(key=lambda session: -(session.transaction_s or 0))
        longest_s = found[0].transaction_s or 0
        yield Finding(
            target=Target(Kind.SESSION, account),
            message=_message(found, longest_s),
            severity=Severity.CRITICAL if longest_s >= critical_s else Severity.WARNING,
            basis=Basis.MEASURED,
            evidence=session_evidence(found),
            fix=end_transactions(found, server[0]),
        )


def _is_at_work(session: Session) -> bool:
    """Whether it is one that should have ended, and neither idleness nor another session's lock is why it has not."""
    if session.is_dump or (session.state == "active" and session.command in _PATIENT):
        return False
    idle_s = session.state_s if session.is_idle_in_transaction else 0
    return max(idle_s or 0, session.waiting_s or 0) < (session.transaction_s or 0) / 2


def _message(found: Sequence[Session], longest_s: float) -> str:
    who = f"A transaction has been open for {format_seconds(longest_s)}"
    if len(found) > 1:
        transactions = plural(len(found), "transaction")
        who = f"{transactions} have been open for long, the longest for {format_seconds(longest_s)}"
    ages = [session.snapshot_age for session in found if session.snapshot_age is not None]
    if ages and max(ages) > 0:
        since = f"what died in the {plural(max(ages), 'transaction')} since its snapshot"
        return f"{who}: VACUUM cannot remove {since}, in any table, and what it has locked stays locked."
    if ages or any(session.has_written for session in found):
        return f"{who}: VACUUM cannot remove what dies meanwhile, in any table, and what it has locked stays locked."
    return f"{who}: what it has locked stays locked, so that an ALTER TABLE waits, and others behind it."
