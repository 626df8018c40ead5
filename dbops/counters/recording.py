"""Take the counters of a database and keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils import timezone

from dbops.collect.postgres import collect
from dbops.collect.session import Session
from dbops.collect.statement_statistics import texts_of
from dbops.counters.packing import KEPT
from dbops.counters.store import HOURLY, store, store_texts, tier_at, unknown_statements
from dbops.models import Counters
from dbops.snapshot.snapshot import Unavailable
from dbops.sources import connect_alias

if TYPE_CHECKING:
    from dbops.snapshot.snapshot import Snapshot

_ALWAYS: Final = frozenset(KEPT) - HOURLY


def record(alias: str) -> Snapshot:
    """Read the counters of DATABASES[alias] and keep them; the slow ones once an hour.

    Returns:
        what was read: a section that could not be says why.

    Raises:
        ConfigurationError, TargetUnreachableError: as `connect_alias`.
    """
    with connect_alias(alias) as (connection, error):
        session = Session(connection, error)
        tier = tier_at(alias, timezone.now())
        sections = _ALWAYS if tier == Counters.Tier.MINUTE else frozenset(KEPT)
        snapshot = collect(session, alias=alias, database=alias, sections=sections)
        new = unknown_statements(alias, snapshot)
        texts = texts_of(session, snapshot, new) if new else ()
    store(alias, snapshot, tier)
    if not isinstance(texts, Unavailable):
        store_texts(alias, texts, seen_at=snapshot.taken_at)
    return snapshot
