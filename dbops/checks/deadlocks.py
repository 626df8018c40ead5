"""Transactions that waited for one another in a ring, and many that were rolled back.

Two transactions that lock the same rows in a different order can come to wait for each other. The server notices after
deadlock_timeout and ends one of them with an error: its work is lost, a request or a task failed, and both sides waited
for a second or more. Every deadlock says that there are two pieces of code that disagree on an order.

How many transactions were rolled back is a hint only. An error in a statement rolls back, so does an exception that
leaves transaction.atomic(), a serialization failure that is tried again, a connection that is lost, and a client that
ends what it has only read with ROLLBACK, as pools and other frameworks do. A savepoint (an atomic() in another) that is
rolled back does not count. The server keeps the number and not the reasons, so that is never more than mentioned.

How to fix:

The server's log has both statements of each deadlock, with their locks. Have all code lock in one order: sort before
bulk_update() and before saving in a loop, select_for_update().order_by("pk"), parents before children. Keep the
transactions short, and try again where an OperationalError says "deadlock detected". For rollbacks look at the errors
in the log first.

Not reported: rollbacks below a tenth of all transactions, of fewer than 20, or within less than an hour; those of a
database whose name begins with test_, where Django's tests roll back all they do. dbops' own looks end with COMMIT,
three transactions for each, so they can only lower the share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Tag, Target, Unseen
from dbops.snapshot.amounts import format_count, format_seconds, plural
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.activity_rows import DatabaseActivity, Window
    from dbops.snapshot.rows import Server

TAG = Tag.LIVE

#: How Django names the databases that tests run in.
_OF_TESTS: Final = "test_"


def check(
    server: tuple[Server, ...],
    window: tuple[Window, ...],
    database_activity: tuple[DatabaseActivity, ...],
    *,
    rollback_ratio: float = 0.1,  # what a few errors and handled exceptions make is well below
    least_transactions: int = 20,  # fewer are somebody's at a prompt
    deadlocks_per_day: float = 1.0,  # from here on it is a warning: fewer may be a coincidence that is over
    short_window_h: float = 1.0,  # some minutes may be those of a job that tries again and again
) -> Iterator[Finding | Unseen]:
    database, did = quote_ident(server[0].database), database_activity[0]
    total = did.commits + did.rollbacks
    is_short = window[0].hours < short_window_h
    if is_short:
        yield Unseen("rollbacks", f"counted for less than {short_window_h:g} h, which may be those of one job")
    many_rolled_back = (
        not is_short
        and not server[0].database.startswith(_OF_TESTS)
        and total >= least_transactions
        and did.rollbacks >= rollback_ratio * total
    )
    if not did.deadlocks and not many_rolled_back:
        return
    per_day = did.deadlocks * 24 / max(window[0].hours, 24)
    yield Finding(
        target=Target(Kind.DATABASE, database),
        message=_message(did, total, window[0], many_rolled_back=many_rolled_back),
        severity=Severity.WARNING if did.deadlocks and per_day >= deadlocks_per_day else Severity.INFO,
        confidence=Confidence.HIGH if did.deadlocks else Confidence.LOW,
        basis=Basis.MEASURED,
        evidence={
            "deadlocks": did.deadlocks,
            "rollbacks": did.rollbacks,
            "transactions": total,
            "window_hours": round(window[0].hours, 2),
        },
    )


def _message(did: DatabaseActivity, total: int, window: Window, *, many_rolled_back: bool) -> str:
    said = []
    if did.deadlocks:
        ended = "a transaction" if did.deadlocks == 1 else f"{format_count(did.deadlocks)} transactions"
        said.append(
            f"{plural(did.deadlocks, 'deadlock')} within {format_seconds(window.covered_s)}: the server ended {ended} "
            "with an error. Its log has the statements on both sides."
        )
    if many_rolled_back:
        said.append(
            f"{did.rollbacks / total:.0%} of {format_count(total)} transactions were rolled back: by errors, or by a "
            "client that ends so what it has only read. The server's log has the errors."
        )
    return " ".join(said)
