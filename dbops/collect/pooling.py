"""Whether a pooler stands between us and the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbops.collect.session import LookError
from dbops.snapshot.session_rows import Pooling
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dbops.collect.session import Session
    from dbops.snapshot.snapshot import Section


def read_pooling(session: Session, seen: Mapping[str, Any]) -> Section:  # noqa: ARG001
    """Return the section's row: who we were told would serve us, and who does."""
    try:
        ((serving,),) = (row.values() for row in session.read("SELECT pg_backend_pid() AS pid"))
    except LookError as error:
        return Unavailable(f"pooling: {error}")
    return (Pooling(announced_pid=session.announced_pid, serving_pid=serving),)
