"""Sessions that wait for a lock, and the one at the root that lets nobody past.

Who changes a row that another transaction has changed waits until that one ends, and who asks for an exclusive lock on
a table, as most of ALTER TABLE does, waits until all who have used it in their transactions are done. Everybody who
comes after waits behind that one in turn, plain reads included, until all connections are taken and the site stands
still. The cause is not those who wait, nor the one they see ahead of them, but the session at the root of the tree:
often one that is idle in a transaction, or has a long statement running.

How to fix:

End the session at the root, and the others go on: SELECT pg_cancel_backend(pid) asks a running statement to end, ending
the session is certain. Or, when what it does matters more than they do, end the one that asks for the exclusive lock:
that is the fix where the root is pg_dump, or an autovacuum, which gives way by itself unless it prevents wraparound.

What lasts: SET lock_timeout (2 s, say) in whatever changes tables while the site is up, so that it gives up before
a queue forms behind it, and try again; short transactions; and an idle_in_transaction_session_timeout.

Not reported: waits in other databases. What is often meant to wait, for an advisory lock of the application's own or
(a CREATE INDEX CONCURRENTLY) for older transactions to end, is only mentioned.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Basis, Finding, Kind, Severity, Tag, Target
from dbops.findings.session_fixes import end_transactions
from dbops.snapshot.amounts import format_seconds, plural
from dbops.snapshot.lock_trees import PREPARED, lock_trees
from dbops.snapshot.session_groups import session_evidence
from dbops.snapshot.session_rows import AUTOVACUUM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Server
    from dbops.snapshot.session_rows import Session

TAG = Tag.LIVE
FOR_HEALTH = True

#: Locks that are waited for patiently: the application's own, and other transactions' ends.
_PATIENT: Final = frozenset({"advisory", "virtualxid"})
#: How long a session may be idle in a transaction from now on, where one was idle and stood in others' way.
_IDLE_LIMIT_S: Final = 60


@dataclass(frozen=True, slots=True)
class _Tree:
    """The roots that are one account's, and those who wait behind any of them, longest first."""

    roots: list[Session]
    waiting: list[Session]

    @property
    def is_patient(self) -> bool:
        return all(session.lock_type in _PATIENT for session in self.waiting)

    @property
    def longest_s(self) -> float:
        """How long the longest has waited of those who are in a hurry; of all, where nobody is."""
        return self.first.waiting_s or 0

    @property
    def first(self) -> Session:
        """The one who has waited longest, as `longest_s` has it."""
        return next((one for one in self.waiting if one.lock_type not in _PATIENT), self.waiting[0])


def check(
    sessions: tuple[Session, ...],
    server: tuple[Server, ...],
    *,
    waiting_s: float = 10,  # people have given up on the page
    critical_s: float = 60,  # by then requests have piled up behind it
) -> Iterator[Finding]:
    for account, tree in _by_account(sessions).items():
        if tree.longest_s < waiting_s:
            continue
        severity = Severity.CRITICAL if tree.longest_s >= critical_s else Severity.WARNING
        yield Finding(
            target=Target(Kind.SESSION, account),
            message=_message(tree),
            severity=Severity.INFO if tree.is_patient else severity,
            basis=Basis.MEASURED,
            evidence=_evidence(tree),
            fix=_fix(tree, server[0]),
        )


def _by_account(sessions: Sequence[Session]) -> dict[str, _Tree]:
    """Return what stands in the way of sessions of this database, by whose it is."""
    known = {session.pid: session for session in sessions}
    roots: dict[str, list[Session]] = defaultdict(list)
    waiting: dict[str, dict[int, Session]] = defaultdict(dict)
    for pid, behind in lock_trees(sessions).items():
        here = {session.pid: session for session in behind if session.is_here}
        if not here or (pid != PREPARED and pid not in known):
            continue
        account = "prepared transaction" if pid == PREPARED else known[pid].account
        roots[account] += [known[pid]] if pid in known else []
        waiting[account] |= here
    return {
        account: _Tree(
            sorted(roots[account], key=lambda one: -(one.transaction_s or 0)),
            sorted(behind.values(), key=lambda one: (-(one.waiting_s or 0), one.pid)),
        )
        for account, behind in waiting.items()
    }


def _message(tree: _Tree) -> str:
    count, longest = len(tree.waiting), format_seconds(tree.longest_s)
    verb = "waits" if count == 1 else "wait"
    waits = f"{plural(count, 'session')} {verb} behind it for {longest}"
    if count > 1:
        waits = f"{plural(count, 'session')} {verb} behind it, the longest for {longest}"
    return f"{waits} ({_asked(tree.first)}); {_doing(tree)}."


def _asked(session: Session) -> str:
    """Return what the session waits for."""
    match session.lock_type:
        case "transactionid":
            return "for rows that it changed"
        case "tuple":
            return f"for a row of {session.lock_relation or 'another database'}"
        case "relation":
            return f"for {session.lock_mode} on {session.lock_relation or 'a table'}"
        case "virtualxid":
            return f"{session.command or 'one'} waits for older transactions to end"
        case other:
            return f"for a lock of type {other}"


def _doing(tree: _Tree) -> str:
    """Return what the root is doing."""
    if not tree.roots:
        return "only COMMIT PREPARED or ROLLBACK PREPARED ends it, see pg_prepared_xacts"
    root = tree.roots[0]
    if root.is_hidden:
        return "what it does this role may not see: GRANT pg_monitor TO it"
    if root.is_idle_in_transaction:
        last = f" since its last {root.command}" if root.command else ""
        doing = f"it has been idle in a transaction for {format_seconds(root.state_s or 0)}{last}"
    elif root.state == "active":
        on = f" on its {root.command}" if root.command else ""
        doing = f"it has been at work{on} for {format_seconds(root.state_s or 0)}"
    else:
        doing = f"it is {root.state}" if root.state else f"it is the server's own process {root.kind}"
    if root.transaction_s is not None:
        doing += f", its transaction began {format_seconds(root.transaction_s)} ago"
    if len(tree.roots) > 1:
        doing += f"; {plural(len(tree.roots), 'session')} of it stand in the way"
    return doing


def _evidence(tree: _Tree) -> dict[str, int | float | str]:
    first = tree.first
    evidence: dict[str, int | float | str] = {
        "waiting": len(tree.waiting),
        "waiting_s": int(tree.longest_s),
        "waiting_pid": first.pid,
        "waiting_account": first.account,
    }
    lock = {"lock_type": first.lock_type, "lock_mode": first.lock_mode, "lock_relation": first.lock_relation}
    evidence |= {name: value for name, value in lock.items() if value is not None}
    if not tree.roots:
        return evidence
    state_s = tree.roots[0].state_s
    return {**evidence, **session_evidence(tree.roots), **({} if state_s is None else {"state_s": int(state_s)})}


def _fix(tree: _Tree, server: Server) -> Fix | None:
    """End the sessions at the root; where those ought to finish, end who cannot wait for that and stops the others."""
    if not tree.roots or tree.is_patient:
        return None
    if all(session.is_dump or session.kind == AUTOVACUUM for session in tree.roots):
        pids = {session.pid for session in tree.roots}
        return end_transactions([session for session in tree.waiting if pids & {*session.blocked_by}], server)
    is_idle = any(session.is_idle_in_transaction for session in tree.roots)
    return end_transactions(tree.roots, server, idle_limit_s=_IDLE_LIMIT_S if is_idle else None)
