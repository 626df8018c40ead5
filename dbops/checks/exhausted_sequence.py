"""A sequence that has little left to give.

When a sequence is used up, or the column that it feeds cannot hold what it gives, every INSERT that takes its key
from it fails, and goes on failing. On a busy table that is an outage that no restart ends. The limit is the smaller
of the sequence's own (its type, or a MAXVALUE) and that of every column that takes its default from it. An integer
ends at 2,147,483,647, a smallint at 32,767; a sequence also loses the values of INSERTs that failed or were rolled
back.

With a history of some weeks (manage.py dbsnapshot) it is told how many days are left at the pace that was kept up, and
a sequence with room for less than half a year is reported however little of it is used. A load on a few days is no
pace, and no pace is relied on for longer than seven times as long as it was measured.

How to fix:

Where only the sequence is too narrow, ALTER SEQUENCE … AS bigint (or NO MAXVALUE) is all, and takes a moment.

Where the column is too narrow, ALTER COLUMN … TYPE bigint rewrites its table, and so does the same change of every
column that refers to it by a foreign key. All of it happens under exclusive locks, so that it suits small tables and
planned downtime. A large table is widened without an outage in these steps:

1. ALTER SEQUENCE … AS bigint, and ADD COLUMN id_new bigint.
2. A trigger that copies id to id_new on INSERT and UPDATE.
3. Fill id_new in batches of some thousand rows.
4. CREATE UNIQUE INDEX CONCURRENTLY on id_new; ADD CHECK (id_new IS NOT NULL) NOT VALID, then VALIDATE it.
5. The same for each column that refers to it, with foreign keys added NOT VALID and then validated.
6. In one short transaction: drop the trigger, rename the columns, move the default or the identity, and let the
   primary key take the new index over.

In the models it is BigAutoField, or DEFAULT_AUTO_FIELD. To win time, a table whose keys were always positive can go
on through the negative half: ALTER SEQUENCE … MINVALUE -2147483648 RESTART -2147483648. That half ends where the old
keys begin, and this check goes on telling how far it is to there. Whoever widens the key then has to move the
sequence on behind the last of them, too; the fix does.

Not reported: a sequence that cycles, unless its column ends before it begins again. What was begun high is judged by
how far it is from the end of its type; where somebody chose its MAXVALUE, by the way from its start to that.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.filling import Limits
from dbops.findings.finding import Finding, Kind, Location, Tag, Target, Unseen
from dbops.findings.sequence_fixes import catch_up, put_back
from dbops.findings.type_changes import Feeds, change_types, is_narrower
from dbops.snapshot.amounts import format_count, plural
from dbops.snapshot.forecast import by_subject, forecast
from dbops.snapshot.key_columns import TableColumn, declared, is_unique_alone, referring
from dbops.snapshot.sequence_facts import own_end, room, type_end

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dbops.findings.fix import Fix
    from dbops.snapshot.activity_rows import Growth
    from dbops.snapshot.forecast import Forecast
    from dbops.snapshot.rows import Sequence, SequenceKey, SequenceValue
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.sequence_facts import Room

TAG = Tag.LIVE
FOR_HEALTH = True

#: Keys that go so far into the other half of a type were counted there: behind them there is little to go on with.
_HALF_TAKEN_RATIO: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Taken:
    """The keys beyond 0, which a sequence meets that was sent to the other half of its type to win time.

    `first` is the first of them that it will give; 0 where it meets some before that: there the half ends anyway.
    """

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Way:
    """A sequence and the columns it feeds: how far it can go, and what stops it first.

    `taken` are the keys that stop it before any type does.
    """

    schema: Schema
    sequence: Sequence
    fed: list[TableColumn]
    taken: _Taken | None = None

    @property
    def referring(self) -> list[TableColumn]:
        """The columns that refer to the fed ones by foreign keys, directly or in turn."""
        return referring(self.schema, self.fed)

    @property
    def narrowest(self) -> TableColumn | None:
        """The fed integer column that ends no later than the sequence itself; the earliest of several."""
        ends = {column: end for column in self.fed if (end := self._end(column)) is not None}
        first = min(ends, key=lambda column: self.sign * ends[column], default=None)
        return first if first and self.sign * ends[first] <= self.sign * own_end(self.sequence) else None

    @property
    def limit(self) -> int:
        """The last value that can be stored."""
        if self.taken:
            return self.taken.first - self.sign
        end = self._end(self.narrowest) if self.narrowest else None
        return own_end(self.sequence) if end is None else end

    @property
    def limit_of_types(self) -> int | None:
        """The last value that could be stored if the sequence had no limit of its own but its type's."""
        ends = [type_end(self.sequence.type, self.sign), *(self._end(column) for column in self.fed + self.referring)]
        known = [end for end in ends if end is not None]
        return min(known, key=lambda end: self.sign * end, default=None)

    @property
    def limited_by(self) -> str:
        """What ends first: a type, or MAXVALUE or MINVALUE; or where keys begin that are there already."""
        if self.taken:
            return "taken keys"
        if self.narrowest:
            return self.narrowest.column.base_type
        return self.bound if self.has_chosen_end else self.sequence.type

    @property
    def has_chosen_end(self) -> bool:
        """Whether somebody gave the sequence another end than its type's."""
        return own_end(self.sequence) != type_end(self.sequence.type, self.sign)

    @property
    def bound(self) -> str:
        """The option that sets the sequence's end."""
        return "MAXVALUE" if self.sign > 0 else "MINVALUE"

    @property
    def sign(self) -> int:
        """1 where it counts up, -1 where it counts down."""
        return 1 if self.sequence.increment > 0 else -1

    def room(self, last_value: int, *, is_called: bool) -> Room:
        """Return how far it is on the way to the limit; in the other half, from the very end of that."""
        begin = None
        if self.taken:
            ends = [type_end(column.column.base_type, -self.sign) for column in self.fed]
            ends.append(self.sequence.minimum if self.sign > 0 else self.sequence.maximum)
            begin = max((end for end in ends if end is not None), key=lambda end: self.sign * end)
        return room(self.sequence, last_value, limit=self.limit, is_called=is_called, begin=begin)

    def _end(self, column: TableColumn) -> int | None:
        return type_end(column.column.base_type, self.sign)


def check(
    schema: Schema,
    sequences: tuple[Sequence, ...],
    sequence_values: tuple[SequenceValue, ...],
    sequence_keys: tuple[SequenceKey, ...] | None = None,
    growth: tuple[Growth, ...] | None = None,
    *,
    used_ratio: float = 0.75,  # leaves time to plan the migration of a large table
    critical_ratio: float = 0.90,  # a busy table may be days from the end
    days_left: float = 180,  # so long it may take to plan that migration and to widen a large table step by step
    critical_days_left: float = 30,  # so long the steps alone may take
) -> Iterator[Finding | Unseen]:
    limits = Limits(
        used_ratio=used_ratio,
        critical_ratio=critical_ratio,
        days_left=days_left,
        critical_days_left=critical_days_left,
    )
    grown = by_subject(growth)
    values = {value.sequence_oid: value for value in sequence_values}
    feeds = Feeds(schema, sequences)
    keys: dict[int, list[SequenceKey]] = defaultdict(list)
    for key in sequence_keys or ():
        if is_unique_alone(schema, key.table_oid, key.column):
            keys[key.sequence_oid].append(key)
    for sequence in sequences:
        fed = _fed(schema, sequence)
        way = _Way(schema, sequence, fed)
        if sequence.extension is not None or (sequence.cycles and way.narrowest is None):
            continue
        value = values.get(sequence.oid)
        if value is None or value.last_value is None or value.is_called is None:
            yield Unseen(sequence.qualified_name, (value.unseen if value else None) or "its value was not read")
            continue
        if fed and way.sign * value.last_value < 0 <= way.sign * way.limit:
            unseen = _unseen(way, sequence_keys, keys[sequence.oid])
            if unseen is not None:
                yield unseen
            way = replace(way, taken=_taken(way, keys[sequence.oid]))
        left = way.room(value.last_value, is_called=value.is_called)
        ahead = forecast(grown.get(("sequence", sequence.oid, 0, "")), left.remaining, step=sequence.increment)
        judged = limits.judged(left.used_ratio, ahead)
        if judged is None:
            continue
        place = way.narrowest or (fed[0] if fed else None)
        yield Finding(
            target=Target(Kind.SEQUENCE, sequence.qualified_name),
            message=_message(way, left, value.last_value, ahead),
            evidence={
                "last_value": value.last_value,
                "limit": way.limit,
                "limited_by": way.limited_by,
                "remaining": left.remaining,
                "used_ratio": round(left.used_ratio, 4),
                **(ahead.evidence("rows_per_day") if ahead else {}),
            },
            fix=_fix(way, value.last_value, feeds, is_called=value.is_called, enough_ratio=used_ratio),
            location=Location(table_oid=place.table.oid, columns=(place.column.name,)) if place else None,
            **judged,
        )


def _fed(schema: Schema, sequence: Sequence) -> list[TableColumn]:
    """Return the columns that take their values from the sequence, without what is inherited from one of them."""
    columns = (declared(schema, table_oid, number) for table_oid, number in sequence.used_by)
    known = list(dict.fromkeys(column for column in columns if column is not None))
    return [column for column in known if not column.column.is_inherited] or known


def _unseen(way: _Way, every: tuple[SequenceKey, ...] | None, keys: Iterable[SequenceKey]) -> Unseen | None:
    """Return why the keys ahead of a sequence that was sent to the other half are not known; None when they are."""
    if every is None:
        return Unseen(way.sequence.qualified_name, "the keys ahead of it were not read")
    reason = next((key.unseen for key in keys if key.unseen is not None), None)
    return Unseen(way.fed[0].table.qualified_name, reason) if reason else None


def _taken(way: _Way, keys: Iterable[SequenceKey]) -> _Taken | None:
    """Return the keys at which a sequence's way through the other half ends; None where it can go on behind them."""
    seen = [
        (way.sign * key.first_collision, way.sign * key.extreme_key)
        for key in keys
        if key.first_collision is not None and key.extreme_key is not None
    ]
    last = max((extreme for _, extreme in seen), default=-1)
    half = room(way.sequence, way.sign * last, limit=way.limit, begin=0)
    if last < 0 or half.used_ratio < _HALF_TAKEN_RATIO:
        return None
    first = max(0, min(collision for collision, _ in seen))
    return _Taken(first=way.sign * first, last=way.sign * last)


def _message(way: _Way, left: Room, last_value: int, ahead: Forecast | None) -> str:
    joint = "on the way to" if way.sequence.increment < 0 or last_value < 0 else "of"
    numbers = f"{format_count(last_value)} {joint} {format_count(way.taken.first if way.taken else way.limit)}"
    tables = " and ".join(dict.fromkeys(column.table.qualified_name for column in way.fed))
    fails = f"every INSERT into {tables} that takes a key from it fails" if tables else "every nextval() fails"
    if left.remaining == 0:
        message = f"It is used up ({numbers}): {fails}."
    elif way.taken:
        message = (
            f"{int(left.used_ratio * 100)} % of the way to the keys that exist already is used ({numbers}); from there "
            f"on, {fails}: they go {'up' if way.sign > 0 else 'down'} to {format_count(way.taken.last)}."
        )
    else:
        # Rounded down, so that it does not read 100 % while there is something left.
        what = f"its {way.limited_by}" if way.limited_by == way.bound else way.limited_by
        message = f"{int(left.used_ratio * 100)} % of {what} is used ({numbers}); when it is full, {fails}."
    if ahead and left.remaining:
        message += ahead.words()
    references = len(way.referring) if way.narrowest else 0
    if references == 1:
        message += " 1 column refers to the key by a foreign key."
    elif references:
        message += f" {plural(references, 'column')} refer to the key by foreign keys."
    return message


def _fix(way: _Way, last_value: int, feeds: Feeds, *, is_called: bool, enough_ratio: float) -> Fix | None:
    """Lift the sequence's own limit where that is enough, else widen all that is in the way; None for a full bigint."""
    sequence, limit = way.sequence, way.limit_of_types
    goes_on_at = way.taken.last if way.taken else last_value
    lift = f"ALTER SEQUENCE {sequence.qualified_name} NO {way.bound};"
    restore = f"ALTER SEQUENCE {sequence.qualified_name} {way.bound} {own_end(sequence)};"
    moved, moved_back = _moves(way, last_value, is_called=is_called) if way.taken else ((), ())
    if way.has_chosen_end and limit and room(sequence, goes_on_at, limit=limit).used_ratio < enough_ratio:
        return Statements(sql=(*moved, lift), undo=(restore, *moved_back), is_local=bool(moved)).fix(
            caution=f"somebody chose this {way.bound}: see that nothing relies on it"
        )
    changes = {column: "bigint" for column in way.fed + way.referring if is_narrower(column.column.base_type, "bigint")}
    wider = feeds.following(changes)
    if is_narrower(sequence.type, "bigint"):
        wider[sequence] = "bigint"
    widening = change_types(way.schema, changes, wider) if changes or wider else None
    if widening is None or not (way.has_chosen_end or moved):
        return widening
    lifted, restored = ((lift,), (restore,)) if way.has_chosen_end else ((), ())
    return Statements(
        # Columns that got other types behind the models' back would be no help to them.
        sql=(*moved, *widening.sql, *lifted),
        undo=(*restored, *widening.undo, *moved_back),
        is_local=bool(changes or moved),
    ).fix(caution=widening.caution)


def _moves(way: _Way, last_value: int, *, is_called: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the statements that move the sequence out of the other half, and back.

    It goes first: a sequence that gets a wider type loses a bound that was the narrower one's, and with it that half.
    """
    sequence = way.sequence
    bound = f"MINVALUE {sequence.minimum}" if way.sign > 0 else f"MAXVALUE {sequence.maximum}"
    back = put_back(sequence, last_value, is_called=is_called)
    return (catch_up(sequence, way.fed),), (f"ALTER SEQUENCE {sequence.qualified_name} {bound};", back)
