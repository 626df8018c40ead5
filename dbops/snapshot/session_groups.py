"""The sessions of the database that is looked at, by whose they are, and what is said of them as evidence."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from dbops.snapshot.session_rows import CLIENT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from dbops.snapshot.session_rows import Session

_HIDDEN: Final = "this role may not see what they do: GRANT pg_monitor TO it"
_UNTRACKED: Final = "track_activities is off for them"


def by_account(sessions: Iterable[Session]) -> dict[str, list[Session]]:
    """Return the applications' sessions of this database by account, those that are hidden from this role too."""
    found: dict[str, list[Session]] = defaultdict(list)
    for session in sessions:
        if session.is_here and session.role is not None and session.kind in {CLIENT, None}:
            found[session.account].append(session)
    return dict(found)


def why_unseen(sessions: Collection[Session]) -> list[str]:
    """Return the reasons why it is not known what some of the sessions do; none where it is known of all."""
    hidden = {_HIDDEN for session in sessions if session.is_hidden}
    return sorted(hidden | {_UNTRACKED for session in sessions if session.state == "disabled"})


def session_evidence(sessions: Sequence[Session]) -> dict[str, int | float | str]:
    """Return how many there are, and of the first what identifies it and what it does."""
    first = sessions[0]
    known = {
        "sessions": len(sessions),
        "pid": first.pid,
        "state": first.state,
        "transaction_s": None if first.transaction_s is None else int(first.transaction_s),
        "snapshot_age": first.snapshot_age,
        "command": first.command,
        "query_id": first.query_id,
        "wait_event": first.wait_event,
    }
    return {name: value for name, value in known.items() if value is not None}
