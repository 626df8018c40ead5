"""An integer key that has used up much of its type.

A smallint ends at 32,767 and an integer at 2,147,483,647. When the keys of a table get there, every INSERT into it
fails, and goes on failing. Half of the way is a good moment to begin: a large table is widened in many steps over
days, and so is every column that refers to its key.

With a history of some weeks (manage.py dbsnapshot) it is told how many days are left at the pace that was kept up, and
a key with room for less than half a year is reported however little of its type is used.

How to fix:

ALTER COLUMN … TYPE bigint rewrites its table, and so does the same change of every column that refers to it by a
foreign key, all under exclusive locks: that suits small tables and planned downtime. The steps by which a large table
is widened without an outage are on the page of exhausted_sequence (manage.py dbanalyze --explain exhausted_sequence).
In the models it is BigAutoField or BigIntegerField; the columns of ForeignKey follow by themselves.

Not reported: a type that is narrow and has room. A key whose sequence is near its end is told by exhausted_sequence,
and so is one whose sequence was sent to the other half of the type and comes near the keys that are there; a column
narrower than the key it refers to is told by mismatched_foreign_key. Keys that leap, such as one row with the id
2147483647 that stands for something, or numbers that come from elsewhere, are only mentioned: among so few rows they
say nothing of when the type will be full.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from dbops.findings.filling import Limits
from dbops.findings.finding import Confidence, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.findings.type_changes import Feeds, change_types, is_narrower
from dbops.snapshot.amounts import format_count, plural
from dbops.snapshot.forecast import Forecast, by_subject, forecast
from dbops.snapshot.integer_keys import narrow_keys
from dbops.snapshot.key_columns import declared, referring
from dbops.snapshot.rows import SequenceKey
from dbops.snapshot.sequence_facts import own_end, room, type_end

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dbops.snapshot import rows
    from dbops.snapshot.activity_rows import Growth
    from dbops.snapshot.key_columns import TableColumn
    from dbops.snapshot.key_rows import KeyRange
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.sequence_facts import Room

TAG = Tag.LIVE

#: The oid of a table and the number of a column.
_Place: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Feed:
    """A sequence that feeds a key, where it stands, and how it has grown."""

    sequence: rows.Sequence
    last_value: int
    is_called: bool
    growth: Growth | None

    @property
    def sign(self) -> int:
        return 1 if self.sequence.increment > 0 else -1

    def room(self, limit: int) -> Room:
        return room(self.sequence, self.last_value, limit=limit, is_called=self.is_called)

    def ahead(self, limit: int) -> Forecast | None:
        return forecast(self.growth, self.room(limit).remaining, step=self.sequence.increment)

    def is_told_elsewhere(self, limit: int, ratio: float, days: float) -> bool:
        """Whether exhausted_sequence tells of it, where the column that it feeds ends at `limit`."""
        end = min(self.sign * own_end(self.sequence), self.sign * limit) * self.sign
        is_endless = self.sequence.cycles and end != limit
        if self.sequence.extension is not None or is_endless:
            return False
        ahead = self.ahead(end)
        return self.room(end).used_ratio >= ratio or (ahead is not None and ahead.is_within(days))


@dataclass(frozen=True, slots=True)
class _Fill:
    """How full a key is: at `key` on the way to `limit`. A leap is a key far beyond what its rows make likely."""

    key: int
    limit: int
    used_ratio: float
    is_leap: bool = False
    ahead: Forecast | None = None


def check(
    schema: Schema,
    sequences: tuple[rows.Sequence, ...],
    sequence_values: tuple[rows.SequenceValue, ...],
    sequence_keys: tuple[rows.SequenceKey, ...],
    key_ranges: tuple[KeyRange, ...],
    growth: tuple[Growth, ...] | None = None,
    *,
    used_ratio: float = 0.5,  # leaves time to widen a large table without an outage
    critical_ratio: float = 0.75,  # a table that grows faster with its site is there sooner than its past says
    sequence_ratio: float = 0.75,  # from here on exhausted_sequence tells of a key that a sequence feeds
    days_left: float = 180,  # so long it may take to plan the widening of a large table and to do it step by step
    critical_days_left: float = 30,  # so long the steps alone may take
    sequence_days_left: float = 180,  # with less, exhausted_sequence tells of a key that a sequence feeds
    leap_ratio: float = 0.01,  # fewer rows than this share of the outermost key: it was not reached by counting
) -> Iterator[Finding | Unseen]:
    limits = Limits(
        used_ratio=used_ratio,
        critical_ratio=critical_ratio,
        days_left=days_left,
        critical_days_left=critical_days_left,
    )
    grown = by_subject(growth)
    feeding, wider = _feeding(schema, sequences, sequence_values, grown), Feeds(schema, sequences)
    keys, unseen = _outermost(schema, sequence_keys, key_ranges)
    for column in narrow_keys(schema):
        place = (column.table.oid, column.column.number)
        feeds, found = feeding[place], keys[place]
        if not feeds and not found and place in unseen:
            yield Unseen(column.table.qualified_name, unseen[place])
        pace = None if feeds else grown.get(("key", *place, ""))
        fills = [*_by_sequence(column, feeds), *_by_keys(schema, column, feeds, found, pace, leap_ratio)]
        full = [(fill, judged) for fill in fills if (judged := limits.judged(fill.used_ratio, fill.ahead))]
        if not full:
            continue
        worst, judged = max(full, key=lambda one: (not one[0].is_leap, one[1]["severity"].rank, one[0].used_ratio))
        if not any(feed.is_told_elsewhere(worst.limit, sequence_ratio, sequence_days_left) for feed in feeds):
            yield _finding(schema, column, worst, wider, judged)


def _feeding(
    schema: Schema,
    sequences: Iterable[rows.Sequence],
    values: Iterable[rows.SequenceValue],
    grown: Mapping[tuple[str, int, int, str], Growth],
) -> Mapping[_Place, list[_Feed]]:
    """Return the sequences that feed each column, as far as it is known where they stand."""
    known = {value.sequence_oid: value for value in values}
    found: dict[_Place, list[_Feed]] = defaultdict(list)
    for sequence in sequences:
        value = known.get(sequence.oid)
        if value is None or value.last_value is None or value.is_called is None:
            continue
        for place in {_place(schema, table_oid, number) for table_oid, number in sequence.used_by}:
            pace = grown.get(("sequence", sequence.oid, 0, ""))
            found[place].append(_Feed(sequence, value.last_value, value.is_called, pace))
    return found


def _outermost(
    schema: Schema, sequence_keys: Iterable[rows.SequenceKey], key_ranges: Iterable[KeyRange]
) -> tuple[Mapping[_Place, list[int]], Mapping[_Place, str]]:
    """Return the outermost keys in each column, and why they are not known where they are not."""
    found: dict[_Place, list[int]] = defaultdict(list)
    unseen: dict[_Place, str] = {}
    every: Iterable[rows.SequenceKey | KeyRange] = (*sequence_keys, *key_ranges)
    for read in every:
        place = _place(schema, read.table_oid, read.column)
        keys = (read.extreme_key,) if isinstance(read, SequenceKey) else (read.smallest_key, read.largest_key)
        found[place] += [key for key in keys if key is not None]
        if read.unseen is not None:
            unseen[place] = read.unseen
    return found, unseen


def _place(schema: Schema, table_oid: int, number: int) -> _Place:
    """Return where a column is declared: a partition's in the topmost table."""
    column = declared(schema, table_oid, number)
    return (column.table.oid, column.column.number) if column else (table_oid, number)


def _by_sequence(column: TableColumn, feeds: Sequence[_Feed]) -> Iterator[_Fill]:
    for feed in feeds:
        limit = type_end(column.column.base_type, feed.sign)
        if limit is not None:
            yield _Fill(feed.last_value, limit, feed.room(limit).used_ratio, ahead=feed.ahead(limit))


def _by_keys(
    schema: Schema,
    column: TableColumn,
    feeds: Sequence[_Feed],
    found: Sequence[int],
    pace: Growth | None,
    leap_ratio: float,
) -> Iterator[_Fill]:
    """How full the column is by the keys that are there; `pace` is the largest one's.

    They say nothing where a sequence was sent to the other half of the type, to win time: the full half lies behind.
    """
    if any(feed.last_value * feed.sign < 0 for feed in feeds):
        return
    row_count = schema.rows_of(column.table)
    for key in found:
        limit = type_end(column.column.base_type, key)
        if limit is not None:
            is_leap = row_count is not None and row_count < leap_ratio * abs(key)
            is_growing = pace is not None and key == pace.values[-1] and not is_leap
            yield _Fill(key, limit, key / limit, is_leap, forecast(pace, limit - key) if is_growing else None)


def _finding(schema: Schema, column: TableColumn, fill: _Fill, feeds: Feeds, judged: dict[str, Any]) -> Finding:
    others = referring(schema, [column])
    narrow = [column, *(other for other in others if is_narrower(other.column.base_type, "bigint"))]
    changes = dict.fromkeys(narrow, "bigint")
    if fill.is_leap:
        judged = {**judged, "severity": Severity.INFO, "confidence": Confidence.LOW, "is_red": False}
    elif schema.rows_of(column.table) is None:
        judged = {**judged, "confidence": Confidence.MEDIUM}
    return Finding(
        target=Target(Kind.COLUMN, column.name),
        message=_message(column, fill, others),
        evidence={
            "extreme_key": fill.key,
            "limit": fill.limit,
            "limited_by": column.column.base_type,
            "used_ratio": round(fill.used_ratio, 4),
            "referring_columns": len(others),
            **(fill.ahead.evidence("rows_per_day") if fill.ahead else {}),
        },
        fix=change_types(schema, changes, feeds.following(changes)),
        location=Location(table_oid=column.table.oid, columns=(column.column.name,)),
        rolled_up=tuple(other.name for other in narrow[1:]),
        **judged,
    )


def _message(column: TableColumn, fill: _Fill, others: Sequence[TableColumn]) -> str:
    # Rounded down, so that it does not read 100 % while there is something left.
    type_, used = column.column.base_type, f"{int(fill.used_ratio * 100)} %"
    joint = "on the way to" if fill.key < 0 else "of"
    numbers = f"{format_count(fill.key)} {joint} {format_count(fill.limit)}"
    if fill.is_leap:
        return (
            f"One key is at {used} of its {type_} ({numbers}); with so few rows, it was not reached by counting: it "
            "stands for something, or the keys come from elsewhere."
        )
    message = f"{used} of its {type_} is used ({numbers}); when it is full, every INSERT into "
    message += f"{column.table.qualified_name} fails."
    if fill.ahead and fill.key != fill.limit:
        message += fill.ahead.words()
    if len(others) == 1:
        message += " 1 column refers to the key by a foreign key."
    elif others:
        message += f" {plural(len(others), 'column')} refer to the key by foreign keys."
    return message
