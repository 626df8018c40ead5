"""Builds indexes anew, drops what an interrupted rebuild left behind, and looks at what became of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from dbops.errors import DbopsError
from dbops.findings.vacuum_advice import IndexAdvice, Outcome, Treated
from dbops.snapshot.amounts import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dbops.collect.session import Session
    from dbops.maintenance.server_work import ServerWork

#: The index that has a name now: a rebuild gives it another oid. Locks: AccessShare on the index, for its size.
_INDEX: Final = """
SELECT c.oid::bigint AS oid, i.indisvalid AND i.indisready AND i.indislive AS is_usable,
       pg_relation_size(c.oid) AS size_bytes
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE quote_ident(n.nspname) || '.' || quote_ident(c.relname) = %s
"""
#: What is invalid on a table, its TOAST table's too. Locks: none.
_INVALID: Final = """
SELECT c.oid::bigint AS oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indrelid = %s AND NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'
"""
_KIND: Final = "SELECT relkind::text AS kind FROM pg_class WHERE oid = %s"
#: How long the leftover of our own rebuild may take to be dropped: that waits for old transactions as the rebuild did.
_DROP_S: Final = 5.0


@dataclass(slots=True)
class IndexRun:
    """Works at indexes with `work`, and looks at them with `session`."""

    work: ServerWork
    session: Session
    _known: frozenset[int] | None = None

    def treat(
        self,
        index: IndexAdvice,
        treated: Treated,
        *,
        limit_s: float,
        lock_s: float,
        told: Callable[[], None] | None,
    ) -> Treated:
        """Build `index` anew, or drop it, and say how that went.

        Raises:
            ConnectionLostError: the server went away.
            LookError: a statement failed, the wait for the lock too.
        """
        self._known = None
        is_drop = treated.statement.startswith("DROP")
        before = self._index(index.name)
        if before is None:
            outcome = Outcome.DONE if is_drop else Outcome.FAILED
            return replace(treated, outcome=outcome, reason="it has gone meanwhile")
        if before["is_usable"] and is_drop:
            return replace(treated, outcome=Outcome.FAILED, reason="it has become valid meanwhile, and was not dropped")
        self._probe(index, lock_s)
        self._known = frozenset(row["oid"] for row in self._invalid(index.table_oid))
        # From here on it waits for the transactions of others, which stops nobody: only the time for all of it counts.
        self.work.run(treated.statement, limit_s=limit_s, lock_s=0, told=told)
        try:
            return self._verdict(treated, before, self._index(index.name), is_drop=is_drop)
        except DbopsError as error:
            return replace(treated, outcome=Outcome.UNPROVED, reason=f"what it achieved was not seen: {error}")

    def cleaned(self, index: IndexAdvice, treated: Treated, *, may_drop: bool) -> Treated:
        """Drop what our own rebuild has left behind, where there is time for it, else say which statement does."""
        known = self._known
        if known is None or not treated.statement.startswith("REINDEX"):
            return treated  # it has not begun
        try:
            left = [row["name"] for row in self._invalid(index.table_oid) if row["oid"] not in known]
        except DbopsError as error:
            return replace(treated, hint=f"whether it left an unfinished index behind was not seen: {error}")
        if not left:
            return treated
        drops = "\n".join(f"DROP INDEX CONCURRENTLY {name};" for name in left)
        if not may_drop:
            return replace(treated, leftover=drops)
        try:
            for name in left:
                self.work.run(f"DROP INDEX CONCURRENTLY {name}", limit_s=_DROP_S, lock_s=0)
        except DbopsError:
            return replace(treated, leftover=drops)
        note = f"{listed(left)}, which it had left behind unfinished, was dropped"
        return replace(treated, hint="; ".join(filter(None, (treated.hint, note))))

    def _verdict(
        self, treated: Treated, before: Mapping[str, Any], after: Mapping[str, Any] | None, *, is_drop: bool
    ) -> Treated:
        size_before = before["size_bytes"]
        if is_drop:
            if after is None:
                return replace(treated, size_before=size_before, size_after=0)
            return replace(treated, outcome=Outcome.UNPROVED, reason="it is still there")
        if after is None or not after["is_usable"]:
            return replace(treated, outcome=Outcome.UNPROVED, reason="it is not valid all the same")
        return replace(treated, size_before=size_before, size_after=after["size_bytes"])

    def _probe(self, index: IndexAdvice, lock_s: float) -> None:
        """Find out whether the table is locked: afterwards lock_timeout would end the wait for old transactions, too.

        Such a wait is part of the work, and ending it leaves an invalid index behind. A materialised view cannot be
        locked so.
        """
        with self.session.transaction():
            kinds = self.session.read(_KIND, [index.table_oid])
        if not kinds or kinds[0]["kind"] != "r":
            return
        self.work.execute("BEGIN")
        try:
            lock = f"LOCK TABLE ONLY {index.table} IN SHARE UPDATE EXCLUSIVE MODE"
            self.work.run(lock, limit_s=lock_s + 5, lock_s=lock_s)
        finally:
            if self.work.is_open:
                self.work.execute("ROLLBACK")

    def _index(self, name: str) -> Mapping[str, Any] | None:
        with self.session.transaction():
            self.session.hide_schemas()
            return next(iter(self.session.read(_INDEX, [name])), None)

    def _invalid(self, table_oid: int) -> list[Any]:
        with self.session.transaction():
            self.session.hide_schemas()
            return self.session.read(_INVALID, [table_oid])
