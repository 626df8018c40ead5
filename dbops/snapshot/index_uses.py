"""Whether indexes are used: on this server and on every other one that answers for the same data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from dbops.snapshot.activity_rows import IndexServer, IndexUse
    from dbops.snapshot.rows import Index
    from dbops.snapshot.schema import Schema

_DAY_S: Final = 86_400


class IndexUses:
    """Looks up since when indexes have been idle, the parts of a partitioned index and all servers taken together."""

    def __init__(self, schema: Schema, uses: Iterable[IndexUse], servers: Sequence[IndexServer], now: datetime) -> None:
        self._schema = schema
        self._now = now
        self._uses: dict[int, dict[str, IndexUse]] = {}
        for use in uses:
            self._uses.setdefault(use.oid, {})[use.server] = use
        self._seen = [server.name for server in servers if server.unseen is None]
        self.unseen = tuple(server for server in servers if server.unseen is not None)

    @property
    def servers(self) -> str:
        """The servers whose counters are known, by name."""
        return ", ".join(self._seen)

    def is_used(self, index: Index, within: timedelta) -> bool:
        """Return whether any server is known to have scanned it within that time."""
        since = self._now - within
        return any(use.scans > 0 and (use.idle_since is None or use.idle_since > since) for use in self._known(index))

    def is_idle(self, index: Index, within: timedelta) -> bool:
        """Return whether no server at all has scanned it for that time; False where that is not known of every one."""
        return not self.unseen and self.idle_s(index) >= within.total_seconds()

    def idle_s(self, index: Index) -> float:
        """Return for how many seconds no server that was seen has scanned it; 0 where one of them does not know."""
        found: list[float] = []
        for leaf in self._schema.index_leaves(index):
            uses = self._uses.get(leaf.oid, {})
            for name in {*self._seen, *uses}:
                use = uses.get(name)
                if use is None or use.idle_since is None:
                    return 0.0
                found.append((self._now - use.idle_since).total_seconds())
        return max(min(found), 0.0) if found and self._seen else 0.0

    def idle_days(self, index: Index) -> int:
        """Return that time as whole days."""
        return int(self.idle_s(index) // _DAY_S)

    def has_history(self, index: Index, within: timedelta) -> bool:
        """Return whether its scans were counted on every server for all of that time."""
        since = self._now - within
        uses = self._known(index)
        return bool(uses) and all(use.known_since is not None and use.known_since <= since for use in uses)

    def _known(self, index: Index) -> list[IndexUse]:
        return [use for leaf in self._schema.index_leaves(index) for use in self._uses.get(leaf.oid, {}).values()]
