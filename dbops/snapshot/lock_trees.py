"""Who waits behind whom: the sessions that wait for a lock, sorted by those that let nobody past."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dbops.snapshot.session_rows import Session

#: The pid under which pg_blocking_pids() gives a prepared transaction, which no process holds.
PREPARED: Final = 0


def lock_trees(sessions: Iterable[Session]) -> dict[int, list[Session]]:
    """Return by the pid of each root the sessions that wait behind it, directly or in turn, longest first.

    A root is waited for and waits for nobody. Who waits behind several counts for each of them. A circle has no root:
    the server itself ends it, after deadlock_timeout.
    """
    waiting = {session.pid: session for session in sessions if session.blocked_by}
    behind: dict[int, list[int]] = defaultdict(list)
    for session in waiting.values():
        for pid in session.blocked_by:
            behind[pid].append(session.pid)
    trees = {root: _reached(root, behind) for root in behind if root not in waiting}
    return {
        root: sorted((waiting[pid] for pid in pids), key=lambda one: (-(one.waiting_s or 0), one.pid))
        for root, pids in trees.items()
    }


def _reached(root: int, behind: Mapping[int, list[int]]) -> set[int]:
    found: set[int] = set()
    ahead = [root]
    while ahead:
        for pid in behind.get(ahead.pop(), ()):
            if pid not in found:
                found.add(pid)
                ahead.append(pid)
    return found
