"""How long every index is known to have been idle, on each server that has it: from the counters that are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from dbops.conf import config
from dbops.counters.store import points
from dbops.snapshot.activity_rows import IndexServer, IndexUse
from dbops.snapshot.deltas import Epoch, epoch_of
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dbops.counters.store import Kept
    from dbops.snapshot.snapshot import Section, Snapshot

#: How far back it is looked for a scan; no more is wanted of an index to call it unused.
_LONGEST: Final = timedelta(days=120)
#: One point a day is enough to tell days.
_APART: Final = timedelta(hours=20)
#: Counters of another server that are older than this say nothing of it now.
_FRESH: Final = timedelta(days=2)
#: What a standby's process on its primary is called.
_SENDER: Final = "walsender"


def index_servers(snapshot: Snapshot) -> Section:
    """Return this server and those that are known to have the same indexes: its standbys, or its primary.

    They are the aliases of the DBOPS setting whose counters are of the same cluster, and standbys connected to this
    server that no alias leads to.
    """
    server, epoch, alias = snapshot.server, epoch_of(snapshot.sections), snapshot.alias
    if server is None or epoch is None or alias is None:
        return Unavailable("which server it is was not seen")
    found = [IndexServer(name=alias, is_standby=server.is_standby, unseen=None)]
    for other in config().databases:
        last = _last(other, snapshot.taken_at) if other != alias else None
        if last is not None and last.epoch is not None and _is_same(last.epoch, epoch):
            found.append(IndexServer(name=other, is_standby=not server.is_standby, unseen=None))
    sessions = snapshot.section("sessions")
    senders = () if isinstance(sessions, Unavailable) else [one for one in sessions if one.kind == _SENDER]
    known = len(found) - 1
    found += [
        IndexServer(
            name=one.application or one.account,
            is_standby=True,
            unseen='it reads this server\'s WAL, and no alias in DBOPS["DATABASES"] leads to it',
        )
        for one in senders[known:]
    ]
    return tuple(found)


def index_uses(snapshot: Snapshot, servers: Section) -> Section:
    """Return since when each index was idle on each of `servers` that was seen."""
    now, statistics = snapshot.section("statistics_epoch"), snapshot.section("index_statistics")
    if isinstance(servers, Unavailable):
        return servers
    for needed in (now, statistics):
        if isinstance(needed, Unavailable):
            return needed
    found: list[IndexUse] = []
    for server in servers:
        if server.unseen is None:
            is_here = server.name == snapshot.alias
            found += _uses(server.name, snapshot if is_here else None, snapshot.taken_at)
    return tuple(found)


def _uses(alias: str, here: Snapshot | None, now: datetime) -> Sequence[IndexUse]:
    """Return the uses on one server, walking back from the last counters as long as any index is idle."""
    kept = list(points(alias, since=now - _LONGEST))
    if here is not None:
        rows: dict[int, Any] = {row.oid: row for row in here.section("index_statistics")}  # type: ignore[union-attr]
        later, epoch = now, epoch_of(here.sections)
    elif kept:
        last = kept.pop()
        rows, later, epoch = _statistics(last), last.taken_at, last.epoch
    else:
        return ()
    idle_since: dict[int, datetime | None] = dict.fromkeys(rows)
    scans: dict[int, int] = dict.fromkeys(rows, 0)
    known_since: dict[int, datetime | None] = dict.fromkeys(rows)
    still, current = set(rows), dict(rows)
    for point in reversed(kept):
        if later - point.taken_at < _APART and point is not kept[0]:
            continue
        if epoch is None or point.epoch is None or not _is_same(point.epoch, epoch):
            break
        before, is_same_life = _statistics(point), point.epoch == epoch
        for oid in list(still):
            old = before.get(oid)
            if old is None:
                still.discard(oid)  # it was made after that
                continue
            known_since[oid] = point.taken_at
            ran = current[oid].scans - (old.scans if is_same_life else 0)
            scans[oid] += max(ran, 0)
            if ran != 0:
                still.discard(oid)
            else:
                idle_since[oid] = point.taken_at
            current[oid] = old
        later, epoch = point.taken_at, point.epoch
        if not still:
            break
    return [
        IndexUse(
            oid=oid,
            server=alias,
            scans=scans[oid],
            known_since=known_since[oid],
            idle_since=_earliest(idle_since[oid], row.scanned_at if scans[oid] == 0 else None),
        )
        for oid, row in rows.items()
    ]


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _statistics(point: Kept) -> dict[int, Any]:
    section = point.load(["index_statistics"])["index_statistics"]
    return {row.oid: row for row in section} if isinstance(section, tuple) else {}


def _last(alias: str, now: datetime) -> Kept | None:
    return next(reversed(points(alias, since=now - _FRESH)), None)


def _is_same(one: Epoch, other: Epoch) -> bool:
    """Return whether two epochs are of one database: on one server, or on its primary or standby."""
    return one.system is not None and (one.system, one.database) == (other.system, other.database)
