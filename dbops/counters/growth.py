"""How sequences, keys, transaction ids, sizes and disks have grown, from the counters that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from dbops.counters.store import points
from dbops.snapshot.activity_rows import Growth
from dbops.snapshot.deltas import epoch_of
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from dbops.counters.store import Kept
    from dbops.snapshot.deltas import Epoch
    from dbops.snapshot.snapshot import Section, Snapshot

#: Over how long growth is measured, and how long it has to be known at least.
_LONGEST: Final = timedelta(days=28)
_SHORTEST: Final = timedelta(days=1)
#: The time is measured in so many parts; counters stand for a border that are nearer to it than half a part.
_PARTS: Final = 4
#: How many points are read to find one of which more is kept than of any: between the hours little is.
_TRIES: Final = 5
#: After so many multixacts their numbers begin again.
_MULTIXACTS: Final = 2**32


@dataclass(frozen=True, slots=True)
class _Measure:
    """What is measured: which value of a section's rows, and what tells these apart, by their names.

    Values begin again after `period`.
    """

    subject: str
    section: str
    value: str
    oid: str | None = None
    column: str | None = None
    place: str | None = None
    period: int | None = None

    def values(self, sections: Mapping[str, Section]) -> Mapping[tuple[int, int, str], int]:
        """Return the values that are known, by oid, column and place."""
        section = sections.get(self.section)
        rows: tuple[Any, ...] = section if isinstance(section, tuple) else ()
        return {self._key(row): value for row in rows if (value := getattr(row, self.value)) is not None}

    def _key(self, row: Any) -> tuple[int, int, str]:
        return (
            getattr(row, self.oid) if self.oid else 0,
            getattr(row, self.column) if self.column else 0,
            getattr(row, self.place) if self.place else "",
        )


_MEASURES: Final = (
    _Measure("sequence", "sequence_values", "last_value", oid="sequence_oid"),
    _Measure("key", "key_ranges", "largest_key", oid="table_oid", column="column"),
    _Measure("table_size", "relation_sizes", "size_bytes", oid="oid"),
    _Measure("database_size", "database_size", "size_bytes"),
    _Measure("disk", "disk_space", "used_bytes", place="place"),
    _Measure("xid", "statistics_epoch", "next_xid"),
    _Measure("multixact", "statistics_epoch", "next_multixact", period=_MULTIXACTS),
)
_SECTIONS: Final = frozenset(measure.section for measure in _MEASURES)
#: Kept with all counters, also where nothing else is that is measured here.
_ALWAYS_KEPT: Final = frozenset({"statistics_epoch"})


@dataclass(frozen=True, slots=True)
class _Moment:
    at: datetime
    sections: Mapping[str, Section]


def growth(snapshot: Snapshot) -> Section:
    """Return how everything that is in `snapshot` has grown over the last four weeks, as far as it is known so long.

    Counters of another server, or of another database of that name, are not of it.
    """
    epoch, alias = epoch_of(snapshot.sections), snapshot.alias
    if epoch is None or epoch.system is None or alias is None:
        return Unavailable("which server it is was not seen")
    now = snapshot.sections["statistics_epoch"][0].observed_at  # type: ignore[index]
    kept = [
        point
        for point in points(alias, since=now - _LONGEST, until=now)
        if point.epoch is not None and _is_same(point.epoch, epoch)
    ]
    wanted = [name for name in _SECTIONS if isinstance(snapshot.sections.get(name), tuple)]
    first = _first([point for point in kept if point.taken_at <= now - _SHORTEST], wanted)
    if first is None:
        return Unavailable("less than a day of it is known: manage.py dbsnapshot keeps a history")
    between = _between(kept, first.at, now, wanted)
    return tuple(_grown([first, *between, _Moment(now, snapshot.sections)]))


def _is_same(one: Epoch, other: Epoch) -> bool:
    return (one.system, one.database) == (other.system, other.database)


def _first(kept: Iterable[Kept], wanted: Sequence[str]) -> _Moment | None:
    """Return the first of the points of which anything is known that is wanted."""
    return next((moment for point in islice(kept, _TRIES) if (moment := _moment(point, wanted)) is not None), None)


def _between(kept: Sequence[Kept], first: datetime, now: datetime, wanted: Sequence[str]) -> Iterator[_Moment]:
    """Iterate over moments at about the borders of the parts; one near which nothing was kept is missing."""
    part = (now - first) / _PARTS
    for number in range(1, _PARTS):
        border = first + number * part
        near = [(apart, point) for point in kept if (apart := abs(point.taken_at - border)) < part / 2]
        moment = _first([point for _, point in sorted(near, key=itemgetter(0))], wanted)
        if moment is not None:
            yield moment


def _moment(point: Kept, wanted: Sequence[str]) -> _Moment | None:
    sections = point.load(wanted)
    known = {name for name, section in sections.items() if isinstance(section, tuple)}
    return _Moment(point.taken_at, sections) if known - _ALWAYS_KEPT or known == set(wanted) else None


def _grown(moments: Sequence[_Moment]) -> Iterator[Growth]:
    """Iterate over the growth of what is there in the last of `moments`, since the first in which it is.

    What was not read in between is left out there; what is known for less than the shortest time has no row.
    """
    for measure in _MEASURES:
        values = [measure.values(moment.sections) for moment in moments]
        for key in values[-1]:
            known = [(moment.at, found[key]) for moment, found in zip(moments, values, strict=True) if key in found]
            if known[-1][0] - known[0][0] < _SHORTEST:
                continue
            oid, column, place = key
            counted = [value for _, value in known]
            yield Growth(
                subject=measure.subject,
                oid=oid,
                column=column,
                place=place,
                moments=tuple(at for at, _ in known),
                values=tuple(_unrolled(counted, measure.period) if measure.period else counted),
            )


def _unrolled(values: Iterable[int], period: int) -> Iterator[int]:
    """Iterate over numbers that begin again after `period` as if they did not."""
    total = None
    for value in values:
        total = value if total is None else total + (value - total) % period
        yield total
