"""A look with its history: what happened of late, what statements were like before that, and how things have grown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, InterfaceError, ProgrammingError

from dbops.counters.growth import growth
from dbops.counters.store import points, texts
from dbops.counters.uses import index_servers, index_uses
from dbops.snapshot.activity import MADE_OF, with_activity, with_earlier_statements
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from dbops.snapshot.snapshot import Section, Snapshot

#: How long the window is that ends with a look, and the time before it with which statements are compared.
WINDOW: Final = timedelta(days=1)
EARLIER: Final = timedelta(days=7)
#: Counters that were taken so shortly before a window began are its beginning.
_NEAR: Final = timedelta(minutes=5)
_EARLIER_SECTIONS: Final = frozenset({"earlier_statement_window", "earlier_statement_activity"})
#: Sections that are made of a history, and what is read for them in a look.
MADE_FROM_HISTORY: Final = {
    **MADE_OF,
    **dict.fromkeys(_EARLIER_SECTIONS, frozenset({"statistics_epoch", "statement_tracking"})),
    "index_uses": frozenset({"statistics_epoch", "index_statistics"}),
    "index_servers": frozenset({"statistics_epoch", "sessions"}),
    # Of what else was read: a check reads what it judges, and no other's sizes and keys.
    "growth": frozenset({"statistics_epoch"}),
}
_OF_A_DSN: Final = "no history is kept of a database that is given by its DSN"
_UNMIGRATED: Final = "no history is kept: manage.py migrate makes its tables, manage.py dbsnapshot fills them"


def with_history(snapshot: Snapshot, wanted: Collection[str], *, since: datetime | None = None) -> Snapshot:
    """Return `snapshot` with those of the `wanted` sections that are made of a history.

    `since` is when the window begins, a day ago unless it is said. Where the history cannot be read, they say so.
    """
    wanted = MADE_FROM_HISTORY.keys() & wanted
    if not wanted:
        return snapshot
    alias = snapshot.alias
    if alias is None:
        return _without(snapshot, wanted, _OF_A_DSN)
    begin = since or snapshot.taken_at - WINDOW
    try:
        snapshot = with_activity(_with_texts(snapshot), points(alias, since=begin - _NEAR))
        made: dict[str, Section] = {}
        if wanted & _EARLIER_SECTIONS:
            before = points(alias, since=begin - EARLIER, until=begin + _NEAR)
            made |= with_earlier_statements(before, texts(alias))
        if "growth" in wanted:
            made["growth"] = growth(snapshot)
        if "index_servers" in wanted or "index_uses" in wanted:
            made["index_servers"] = servers = index_servers(snapshot)
            made["index_uses"] = index_uses(snapshot, servers)
    except ProgrammingError:
        return _without(snapshot, wanted, _UNMIGRATED)
    except (DatabaseError, InterfaceError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        return _without(snapshot, wanted, f"the history cannot be read: {reason[0]}")
    return replace(snapshot, sections={**snapshot.sections, **made})


def _with_texts(snapshot: Snapshot) -> Snapshot:
    """Return `snapshot` with the texts of statements that the server has dropped by now, or does not show, too."""
    here = snapshot.sections.get("statement_texts")
    if here is None:
        return snapshot
    seen = () if isinstance(here, Unavailable) else here
    known = {one.query_id for one in seen}
    kept = tuple(one for one in texts(str(snapshot.alias)) if one.query_id not in known)
    if not seen and not kept:
        return snapshot
    return replace(snapshot, sections={**snapshot.sections, "statement_texts": (*seen, *kept)})


def _without(snapshot: Snapshot, wanted: Collection[str], reason: str) -> Snapshot:
    """Return `snapshot` with what it can say without a history."""
    rest = dict.fromkeys(wanted - MADE_OF.keys(), Unavailable(reason))
    snapshot = with_activity(snapshot, (), no_history=reason)
    return replace(snapshot, sections={**snapshot.sections, **rest})
