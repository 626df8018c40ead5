"""How sequences, keys, transaction ids and sizes have grown, from the counters that are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from dbops.counters.store import points
from dbops.snapshot.activity_rows import Growth
from dbops.snapshot.deltas import epoch_of
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from dbops.snapshot.snapshot import Section, Snapshot

#: Over how long growth is measured, and how long it has to be known at least.
_LONGEST: Final = timedelta(days=28)
_SHORTEST: Final = timedelta(days=1)
#: Subject, section, the names of what tells a row apart (oid, column), and of its value.
_MEASURED: Final = (
    ("sequence", "sequence_values", "sequence_oid", None, "last_value"),
    ("key", "key_ranges", "table_oid", "column", "largest_key"),
    ("table_size", "relation_sizes", "oid", None, "size_bytes"),
    ("database_size", "database_size", None, None, "size_bytes"),
)


def growth(snapshot: Snapshot) -> Section:
    """Return how each has grown since the oldest counters of the last four weeks that are of the same database.

    What has become smaller has not grown: somebody set a sequence back, or emptied a table.
    """
    epoch, alias = epoch_of(snapshot.sections), snapshot.alias
    if epoch is None or alias is None:
        return Unavailable("which server it is was not seen")
    now = snapshot.sections["statistics_epoch"][0].observed_at  # type: ignore[index]
    for point in points(alias, since=now - _LONGEST, until=now - _SHORTEST):
        if point.epoch is None or (point.epoch.system, point.epoch.database) != (epoch.system, epoch.database):
            continue
        before = point.load([section for _, section, *_ in _MEASURED])
        if all(isinstance(section, Unavailable) for section in before.values()):
            continue  # it was kept with counters alone
        return tuple(_grown(before, point.taken_at, snapshot, now))
    return Unavailable("less than a day of it is known: manage.py dbsnapshot keeps a history")


def _grown(before: Mapping[str, Section], since: datetime, snapshot: Snapshot, now: datetime) -> Iterator[Growth]:
    for subject, section, oid, column, value in _MEASURED:
        began = {_key(row, oid, column): getattr(row, value) for row in _rows(before.get(section))}
        for row in _rows(snapshot.sections.get(section)):
            key = _key(row, oid, column)
            first, last = began.get(key), getattr(row, value)
            if first is not None and last is not None:
                yield Growth(
                    subject=subject,
                    oid=key[0],
                    column=key[1],
                    place="",
                    started_at=since,
                    ended_at=now,
                    started_value=first,
                    ended_value=last,
                )


def _rows(section: Section | None) -> tuple[Any, ...]:
    return section if isinstance(section, tuple) else ()


def _key(row: Any, oid: str | None, column: str | None) -> tuple[int, int]:
    return (getattr(row, oid) if oid else 0, getattr(row, column) if column else 0)
