"""An integer key that has used up much of its type.

A smallint ends at 32,767 and an integer at 2,147,483,647. When the keys of a table get there, every INSERT into it
fails, and goes on failing. Half of the way is a good moment to begin: a large table is widened in many steps over
days, and so is every column that refers to its key.

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
from typing import TYPE_CHECKING, Final, TypeAlias

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.findings.type_changes import Feeds, change_types, is_narrower
from dbops.snapshot.amounts import format_count, plural
from dbops.snapshot.integer_keys import narrow_keys
from dbops.snapshot.key_columns import declared, referring
from dbops.snapshot.rows import SequenceKey
from dbops.snapshot.sequence_facts import own_end, room, type_end

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dbops.snapshot import rows
    from dbops.snapshot.key_columns import TableColumn
    from dbops.snapshot.key_rows import KeyRange
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.sequence_facts import Room

TAG = Tag.LIVE

#: The oid of a table and the number of a column.
_Place: TypeAlias = tuple[int, int]
#: From here on it is a red condition, which caps the score.
_RED_RATIO: Final = 0.95


@dataclass(frozen=True, slots=True)
class _Feed:
    """A sequence that feeds a key, and where it stands."""

    sequence: rows.Sequence
    last_value: int
    is_called: bool

    @property
    def sign(self) -> int:
        return 1 if self.sequence.increment > 0 else -1

    def room(self, limit: int) -> Room:
        return room(self.sequence, self.last_value, limit=limit, is_called=self.is_called)

    def is_told_elsewhere(self, limit: int, ratio: float) -> bool:
        """Whether exhausted_sequence tells of it, where the column that it feeds ends at `limit`."""
        end = min(self.sign * own_end(self.sequence), self.sign * limit) * self.sign
        is_endless = self.sequence.cycles and end != limit
        return self.sequence.extension is None and not is_endless and self.room(end).used_ratio >= ratio


@dataclass(frozen=True, slots=True)
class _Fill:
    """How full a key is: at `key` on the way to `limit`. A leap is a key far beyond what its rows make likely."""

    key: int
    limit: int
    used_ratio: float
    is_leap: bool = False


def check(
    schema: Schema,
    sequences: tuple[rows.Sequence, ...],
    sequence_values: tuple[rows.SequenceValue, ...],
    sequence_keys: tuple[rows.SequenceKey, ...],
    key_ranges: tuple[KeyRange, ...],
    *,
    used_ratio: float = 0.5,  # leaves time to widen a large table without an outage
    critical_ratio: float = 0.75,  # a table that grows faster with its site is there sooner than its past says
    sequence_ratio: float = 0.75,  # from here on exhausted_sequence tells of a key that a sequence feeds
    leap_ratio: float = 0.01,  # fewer rows than this share of the outermost key: it was not reached by counting
) -> Iterator[Finding | Unseen]:
    feeding, wider = _feeding(schema, sequences, sequence_values), Feeds(schema, sequences)
    keys, unseen = _outermost(schema, sequence_keys, key_ranges)
    for column in narrow_keys(schema):
        place = (column.table.oid, column.column.number)
        feeds, found = feeding[place], keys[place]
        if not feeds and not found and place in unseen:
            yield Unseen(column.table.qualified_name, unseen[place])
        fills = [*_by_sequence(column, feeds), *_by_keys(schema, column, feeds, found, leap_ratio)]
        full = [fill for fill in fills if fill.used_ratio >= used_ratio]
        worst = max(full, key=lambda fill: (not fill.is_leap, fill.used_ratio), default=None)
        if worst is not None and not any(feed.is_told_elsewhere(worst.limit, sequence_ratio) for feed in feeds):
            yield _finding(schema, column, worst, wider, critical_ratio)


def _feeding(
    schema: Schema, sequences: Iterable[rows.Sequence], values: Iterable[rows.SequenceValue]
) -> Mapping[_Place, list[_Feed]]:
    """Return the sequences that feed each column, as far as it is known where they stand."""
    known = {value.sequence_oid: value for value in values}
    found: dict[_Place, list[_Feed]] = defaultdict(list)
    for sequence in sequences:
        value = known.get(sequence.oid)
        if value is None or value.last_value is None or value.is_called is None:
            continue
        for place in {_place(schema, table_oid, number) for table_oid, number in sequence.used_by}:
            found[place].append(_Feed(sequence, value.last_value, value.is_called))
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
            yield _Fill(feed.last_value, limit, feed.room(limit).used_ratio)


def _by_keys(
    schema: Schema, column: TableColumn, feeds: Sequence[_Feed], found: Sequence[int], leap_ratio: float
) -> Iterator[_Fill]:
    """How full the column is by the keys that are there.

    They say nothing where a sequence was sent to the other half of the type, to win time: the full half lies behind.
    """
    if any(feed.last_value * feed.sign < 0 for feed in feeds):
        return
    row_count = schema.rows_of(column.table)
    for key in found:
        limit = type_end(column.column.base_type, key)
        if limit is not None:
            is_leap = row_count is not None and row_count < leap_ratio * abs(key)
            yield _Fill(key, limit, key / limit, is_leap)


def _finding(schema: Schema, column: TableColumn, fill: _Fill, feeds: Feeds, critical_ratio: float) -> Finding:
    others = referring(schema, [column])
    narrow = [column, *(other for other in others if is_narrower(other.column.base_type, "bigint"))]
    changes = dict.fromkeys(narrow, "bigint")
    severity = Severity.CRITICAL if fill.used_ratio >= critical_ratio else Severity.WARNING
    is_counted = schema.rows_of(column.table) is not None
    return Finding(
        target=Target(Kind.COLUMN, column.name),
        message=_message(column, fill, others),
        severity=Severity.INFO if fill.is_leap else severity,
        confidence=Confidence.LOW if fill.is_leap else Confidence.HIGH if is_counted else Confidence.MEDIUM,
        basis=Basis.MEASURED,
        evidence={
            "extreme_key": fill.key,
            "limit": fill.limit,
            "limited_by": column.column.base_type,
            "used_ratio": round(fill.used_ratio, 4),
            "referring_columns": len(others),
        },
        fix=change_types(schema, changes, feeds.following(changes)),
        location=Location(table_oid=column.table.oid, columns=(column.column.name,)),
        rolled_up=tuple(other.name for other in narrow[1:]),
        is_red=fill.used_ratio >= _RED_RATIO and not fill.is_leap,
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
    if len(others) == 1:
        message += " 1 column refers to the key by a foreign key."
    elif others:
        message += f" {plural(len(others), 'column')} refer to the key by foreign keys."
    return message
