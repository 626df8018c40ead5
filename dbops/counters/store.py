"""Counters in the project's own database: written with what they may leave out, thinned out, and read again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import connections, router, transaction

from dbops.counters.packing import KEPT, join, pack, part, unpack
from dbops.models import Counters, Statement
from dbops.snapshot.counter_rows import StatementText
from dbops.snapshot.deltas import Epoch, epoch_of, statement_epoch_of
from dbops.snapshot.snapshot import Unavailable
from dbops.snapshot.statement_text import OWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dbops.snapshot.snapshot import Section, Snapshot

#: For how long each tier is kept: minutes for hours, hours for the five weeks that some checks want, days for years.
KEPT_FOR: Final[Mapping[str, timedelta]] = {
    Counters.Tier.MINUTE: timedelta(hours=6),
    Counters.Tier.HOUR: timedelta(days=42),
    Counters.Tier.DAY: timedelta(days=800),
}
#: Sections that are kept once an hour: reading them costs more, and they change slowly.
HOURLY: Final = frozenset(
    {"server", "database_size", "relation_sizes", "sequence_values", "key_ranges", "database_ages", "disk_space"}
)
#: How long one of our own statements may take there.
_TIMEOUT_MS: Final = 10_000
#: When a statement was last seen is written no more often than this.
_SEEN_AGAIN_AFTER: Final = timedelta(days=1)
_NOT_KEPT: Final = Unavailable("it was not counted at the beginning of the window")


@contextmanager
def limited(*, write: bool = False) -> Iterator[str]:
    """Hold a transaction in the database where counters are kept, with time limits; gives its alias."""
    alias = router.db_for_write(Counters) if write else router.db_for_read(Counters)
    with transaction.atomic(using=alias):
        with connections[alias].cursor() as cursor:
            if connections[alias].vendor == "postgresql":
                cursor.execute(f"SET LOCAL statement_timeout = {_TIMEOUT_MS}\n{OWN}")
                cursor.execute(f"SET LOCAL lock_timeout = {_TIMEOUT_MS}\n{OWN}")
        yield alias


@dataclass(frozen=True, slots=True)
class Kept:
    """Counters that are kept, as the beginning of a window: a `Point` of `dbops.snapshot.activity`."""

    pk: int
    taken_at: datetime
    epoch: Epoch | None
    statement_epoch: Epoch | None

    def load(self, sections: Iterable[str]) -> Mapping[str, Section]:
        """Read some sections; one that was not kept then says so."""
        with limited():
            found = _load(self.pk, frozenset(sections))
        return {name: found.get(name, _NOT_KEPT) for name in sections}


def tier_at(alias: str, moment: datetime) -> Counters.Tier:
    """Return how long counters of DATABASES[alias] are to be kept that are taken now: the first of a day longest."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    kept = Counters.objects.filter(alias=alias).exclude(tier=Counters.Tier.MINUTE)
    if not kept.filter(tier=Counters.Tier.DAY, taken_at__gte=day).exists():
        return Counters.Tier.DAY
    return Counters.Tier.MINUTE if kept.filter(taken_at__gte=hour).exists() else Counters.Tier.HOUR


def store(alias: str, snapshot: Snapshot, tier: Counters.Tier) -> Counters:
    """Write the counters of `snapshot`, and forget what is older than its tier allows."""
    rows = {name: section for name in KEPT if isinstance(section := snapshot.sections.get(name), tuple)}
    epoch = rows.get("statistics_epoch")
    taken_at = epoch[0].observed_at if epoch else snapshot.taken_at
    with limited(write=True):
        base = _base(alias, tier, taken_at)
        earlier = _load(base, frozenset(rows)) if base else {}
        kept, _ = Counters.objects.get_or_create(
            alias=alias,
            taken_at=taken_at,
            defaults={
                "tier": tier,
                "base_id": base,
                "epoch": _document(epoch_of(snapshot.sections)),
                "statement_epoch": _document(statement_epoch_of(snapshot.sections)),
                "data": join({name: pack(name, section, earlier.get(name)) for name, section in rows.items()}),
            },
        )
        _thin(alias, taken_at)
    return kept


def store_texts(alias: str, texts: Iterable[StatementText], *, seen_at: datetime) -> None:
    """Write the texts of statements; one that is known already stays."""
    rows = [
        Statement(alias=alias, query_id=one.query_id, text=one.text, is_own=one.is_own, seen_at=seen_at)
        for one in texts
    ]
    with limited(write=True):
        Statement.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)


def unknown_statements(alias: str, snapshot: Snapshot) -> set[int]:
    """Return the query ids among the counters of `snapshot` whose texts are not kept; the others were seen again."""
    section = snapshot.section("statement_counters")
    if isinstance(section, Unavailable):
        return set()
    running = {row.query_id for row in section}
    with limited(write=True):
        known = dict(Statement.objects.filter(alias=alias).values_list("query_id", "seen_at"))
        old = [one for one in running & known.keys() if snapshot.taken_at - known[one] > _SEEN_AGAIN_AFTER]
        Statement.objects.filter(alias=alias, query_id__in=old).update(seen_at=snapshot.taken_at)
    return running - known.keys()


def texts(alias: str) -> tuple[StatementText, ...]:
    """Return the texts that are kept of the statements of DATABASES[alias]."""
    with limited():
        return tuple(
            StatementText(query_id=query_id, text=text, is_own=is_own)
            for query_id, text, is_own in Statement.objects.filter(alias=alias).values_list(
                "query_id", "text", "is_own"
            )
        )


def points(alias: str, *, since: datetime, until: datetime | None = None) -> tuple[Kept, ...]:
    """Return the counters of DATABASES[alias] that are kept of a time, in their order."""
    kept = Counters.objects.filter(alias=alias, taken_at__gte=since)
    if until is not None:
        kept = kept.filter(taken_at__lte=until)
    with limited():
        found = list(kept.order_by("taken_at").values_list("pk", "taken_at", "epoch", "statement_epoch"))
    return tuple(Kept(pk, taken_at, _epoch(one), _epoch(other)) for pk, taken_at, one, other in found)


def last_taken_at(alias: str) -> datetime | None:
    """Return when the counters of DATABASES[alias] were kept last."""
    with limited():
        return Counters.objects.filter(alias=alias).order_by("-taken_at").values_list("taken_at", flat=True).first()


def _base(alias: str, tier: Counters.Tier, taken_at: datetime) -> int | None:
    """Return what counters of a tier leave out of: an hour's of its day's, a minute's of its hour's."""
    longer = {Counters.Tier.DAY: (), Counters.Tier.HOUR: (Counters.Tier.DAY,)}
    tiers: Sequence[str] = longer.get(tier, (Counters.Tier.DAY, Counters.Tier.HOUR))
    kept = Counters.objects.filter(alias=alias, tier__in=tiers, taken_at__lt=taken_at)
    return kept.order_by("-taken_at").values_list("pk", flat=True).first()


def _load(pk: int, sections: frozenset[str]) -> dict[str, tuple[Any, ...]]:
    """Read sections, those of the base first as far as they need it."""
    data, base = Counters.objects.values_list("data", "base_id").get(pk=pk)
    packed = {name: one for name, one in part(data).items() if name in sections}
    earlier = _load(base, frozenset(packed)) if base else {}
    return {name: unpack(name, one, earlier.get(name, ())) for name, one in packed.items()}


def _thin(alias: str, now: datetime) -> None:
    """Delete what is older than its tier is kept, what has a base first, and the texts of statements long gone."""
    for tier in (Counters.Tier.MINUTE, Counters.Tier.HOUR, Counters.Tier.DAY):
        old = Counters.objects.filter(alias=alias, tier=tier, taken_at__lt=now - KEPT_FOR[tier])
        old.delete()
    oldest = now - KEPT_FOR[Counters.Tier.DAY]
    Statement.objects.filter(alias=alias, seen_at__lt=oldest).delete()


def _document(epoch: Epoch | None) -> dict[str, Any] | None:
    if epoch is None:
        return None
    return {
        "system": epoch.system,
        "database": epoch.database,
        "started_at": epoch.started_at.isoformat(),
        "resets": [reset and reset.isoformat() for reset in epoch.resets],
    }


def _epoch(document: Mapping[str, Any] | None) -> Epoch | None:
    if document is None:
        return None
    return Epoch(
        system=document["system"],
        database=document["database"],
        started_at=datetime.fromisoformat(document["started_at"]),
        resets=tuple(reset and datetime.fromisoformat(reset) for reset in document["resets"]),
    )
