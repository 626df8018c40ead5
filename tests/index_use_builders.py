"""How indexes are used on each server, with sensible defaults, for the tests of the checks that judge it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dbops.snapshot.activity_rows import IndexServer, IndexUse
from dbops.snapshot.rows import Server
from tests.activity_builders import NOON
from tests.looking import snapshot_of

if TYPE_CHECKING:
    from datetime import datetime

    from tests.servers import Database

PRIMARY = IndexServer(name="default", is_standby=False, unseen=None)
STANDBY = IndexServer(name="replica", is_standby=True, unseen=None)
SERVER = Server(
    version="18.0",
    version_num=180_000,
    database="shop",
    is_standby=False,
    role="app",
    session_role="app",
    is_superuser=False,
    is_monitor=True,
    search_path=("public",),
    provider=None,
    observed_at=NOON,
)


def a_use(
    oid: int = 100,
    *,
    days: float | None = 40,
    scans: int = 0,
    known_days: float | None = 100,
    server: str = "default",
    now: datetime = NOON,
) -> IndexUse:
    """An index that was idle for the last `days`, None where it was used at last; counted for `known_days`."""
    return IndexUse(
        oid=oid,
        server=server,
        scans=scans,
        known_since=None if known_days is None else now - timedelta(days=known_days),
        idle_since=None if days is None else now - timedelta(days=days),
    )


def uses_in(database: Database, used: tuple[str, ...] = (), *, days: float = 40) -> dict[str, Any]:
    """The sections of a history in which no index of `database` was used for `days`, but those named in `used`."""
    snapshot = snapshot_of(database)
    server = snapshot.server
    assert server is not None
    uses = tuple(
        a_use(
            index.oid,
            days=None if index.name in used else days,
            scans=5 if index.name in used else 0,
            now=server.observed_at,
        )
        for index in snapshot.sections["indexes"]  # type: ignore[union-attr]
        if index.kind == "i"
    )
    return {"index_uses": uses, "index_servers": (PRIMARY,)}
