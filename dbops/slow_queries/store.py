"""Slow executions in the project's own database: written by minute, merged to hours, and read again for a window."""

from __future__ import annotations

import json
import zlib
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import connections, router, transaction
from django.db.models import Max

from dbops.conf import query_timeout_ms
from dbops.models import SlowQueries, SlowQueryProcess
from dbops.slow_queries.coverage import Run, gap
from dbops.slow_queries.durations import Durations, Percentile, Unclaimed, merged, p95

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

    from dbops.slow_queries.buffer import Taken

#: For how long it is kept by minute, and at all: as counters are.
MINUTES_FOR: Final = timedelta(hours=6)
KEPT_FOR: Final = timedelta(days=42)
MINUTE_S: Final = 60
HOUR_S: Final = 3600
#: How long one of our own statements may take there, unless DBOPS["QUERY_TIMEOUT_S"] is less.
_TIMEOUT_MS: Final = 5_000
#: How many hours are merged at one go: no more than a few are due, unless nobody was there to do it.
_HOURS_AT_ONCE: Final = 48


class _SomebodyElseError(Exception):
    """Another process has merged the same minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowDurations:
    """What was logged of one database in a window.

    `inside` are executions by fingerprint; `edge` those of a minute or hour in which the window begins or ends. All
    that took `threshold_ms` or more was logged, unless `gap` says why some of it may be missing.
    """

    inside: Mapping[str, Durations]
    edge: Mapping[str, Durations]
    threshold_ms: float
    gap: str | None

    def p95(self, fingerprint: str, calls: int, *, total_ms: float | None = None) -> Percentile | Unclaimed:
        """Return the 95th percentile of a statement that the server counted so often in the window.

        `calls` and `total_ms` are those of all its query ids with that fingerprint: the server tells statements apart
        by the types of their constants too.
        """
        none = Durations()
        return p95(
            calls,
            self.inside.get(fingerprint, none),
            self.edge.get(fingerprint, none),
            threshold_ms=self.threshold_ms,
            gap=self.gap,
            total_ms=total_ms,
        )


@contextmanager
def limited(*, write: bool = False) -> Iterator[str]:
    """Hold a transaction in the database where slow queries are kept, with time limits; gives its alias."""
    alias = router.db_for_write(SlowQueries) if write else router.db_for_read(SlowQueries)
    with transaction.atomic(using=alias):
        if connections[alias].vendor == "postgresql":
            timeout_ms = min(_TIMEOUT_MS, query_timeout_ms())
            with connections[alias].cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {timeout_ms}")
                cursor.execute(f"SET LOCAL lock_timeout = {timeout_ms}")
        yield alias


def store(
    taken: Taken,
    *,
    process: UUID,
    aliases: Iterable[str],
    threshold_ms: float,
    began_at: datetime,
    now: datetime,
    has_ended: bool,
) -> None:
    """Write what one process has seen, and that until `now` it is all there was for these aliases."""
    by_minute: defaultdict[tuple[str, datetime], dict[str, Durations]] = defaultdict(dict)
    for (alias, minute, fingerprint), durations in taken.durations.items():
        by_minute[alias, minute][fingerprint] = durations
    rows = [
        SlowQueries(alias=alias, began_at=minute, seconds=MINUTE_S, data=pack(durations))
        for (alias, minute), durations in by_minute.items()
    ]
    with limited(write=True):
        SlowQueries.objects.bulk_create(rows)
        for alias in aliases:
            run, _ = SlowQueryProcess.objects.get_or_create(
                process=process,
                alias=alias,
                defaults={"threshold_ms": threshold_ms, "began_at": began_at, "seen_at": now},
            )
            run.seen_at, run.has_ended = now, has_ended
            run.dropped += taken.dropped
            run.dropped_at = taken.dropped_at or run.dropped_at
            run.save(update_fields=["seen_at", "has_ended", "dropped", "dropped_at"])


def thin(now: datetime) -> None:
    """Merge minutes of long ago to hours, and delete what is older than is kept."""
    with limited(write=True):
        SlowQueries.objects.filter(began_at__lt=now - KEPT_FOR).delete()
        SlowQueryProcess.objects.filter(seen_at__lt=now - KEPT_FOR).delete()
    before = (now - MINUTES_FOR).replace(minute=0, second=0, microsecond=0)
    for _ in range(_HOURS_AT_ONCE):
        try:
            if not _merge_an_hour(before):
                return
        except _SomebodyElseError:
            return


def _merge_an_hour(before: datetime) -> bool:
    """Merge the minutes of the oldest hour before `before` that has any; return whether there was one."""
    with limited(write=True):
        minutes = SlowQueries.objects.filter(seconds=MINUTE_S)
        oldest = minutes.filter(began_at__lt=before).order_by("began_at").first()
        if oldest is None:
            return False
        hour = oldest.began_at.replace(minute=0)
        rows = dict(
            minutes.filter(
                alias=oldest.alias, began_at__gte=hour, began_at__lt=hour + timedelta(seconds=HOUR_S)
            ).values_list("pk", "data")
        )
        together = merged(unpack(data) for data in rows.values())
        SlowQueries.objects.create(alias=oldest.alias, began_at=hour, seconds=HOUR_S, data=pack(together))
        deleted, _ = SlowQueries.objects.filter(pk__in=rows).delete()
        if deleted != len(rows):
            raise _SomebodyElseError
    return True


def slow_durations(alias: str, since: datetime, until: datetime) -> SlowDurations:
    """Return what was logged of DATABASES[alias] in a window.

    Raises:
        django.db.Error: it cannot be read, as where the tables are missing.
    """
    with limited():
        rows = list(
            SlowQueries.objects.filter(
                alias=alias, began_at__gt=since - timedelta(seconds=HOUR_S), began_at__lt=until
            ).values_list("began_at", "seconds", "data")
        )
        found = SlowQueryProcess.objects.filter(alias=alias, began_at__lte=until, seen_at__gte=since)
        threshold_ms = found.aggregate(most=Max("threshold_ms"))["most"]
        runs = [Run(**one) for one in found.values("began_at", "seen_at", "has_ended", "threshold_ms", "dropped_at")]
    inside: list[dict[str, Durations]] = []
    edge: list[dict[str, Durations]] = []
    for began_at, seconds, data in rows:
        ended_at = began_at + timedelta(seconds=seconds)
        if ended_at > since:
            (inside if since <= began_at and ended_at <= until else edge).append(unpack(data))
    return SlowDurations(
        inside=merged(inside), edge=merged(edge), threshold_ms=threshold_ms or 0.0, gap=gap(runs, since, until)
    )


def pack(durations: Mapping[str, Durations]) -> bytes:
    """Return durations by fingerprint in few bytes: pairs of a bucket and its count, then how many were unmeasured."""
    document = {
        fingerprint: [*(number for pair in sorted(one.buckets.items()) for number in pair), one.unmeasured]
        for fingerprint, one in durations.items()
    }
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode())


def unpack(packed: bytes | memoryview) -> dict[str, Durations]:
    """Return what `pack` was given."""
    return {
        fingerprint: Durations(Counter(dict(zip(numbers[:-1:2], numbers[1::2], strict=True))), numbers[-1])
        for fingerprint, numbers in json.loads(zlib.decompress(packed)).items()
    }
