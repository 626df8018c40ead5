"""What follows from a sequence's definition and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.snapshot.key_columns import INTEGER_BOUNDS

if TYPE_CHECKING:
    from dbops.snapshot.rows import Sequence, SequenceValue

_TYPE_ENDS: Final = frozenset(bound for bounds in INTEGER_BOUNDS.values() for bound in bounds)


@dataclass(frozen=True, slots=True)
class Room:
    """How many values a sequence has given on its way to its limit, and how many it can still give."""

    used: int
    remaining: int

    @property
    def used_ratio(self) -> float:
        """0 to 1; 1 when there is nothing left."""
        return self.used / (self.used + self.remaining) if self.remaining else 1.0


def type_end(type_: str, increment: int) -> int | None:
    """Return the last value of an integer type in the direction of counting; None for any other type."""
    bounds = INTEGER_BOUNDS.get(type_)
    return None if bounds is None else bounds[increment > 0]


def own_end(sequence: Sequence) -> int:
    """Return the last value that the sequence itself allows."""
    return sequence.maximum if sequence.increment > 0 else sequence.minimum


def room(sequence: Sequence, last_value: int, *, limit: int, is_called: bool = True, begin: int | None = None) -> Room:
    """Return how far the sequence is on its way to `limit`, counted in the values that it hands out.

    The way begins at `begin` where that is given. Where the limit is a type's, it begins at 1 (-1, counting down), or
    at the sequence's bound or start where that comes earlier or leaves no choice: what was begun at 2,000,000,000 has
    as little left as what came to it one by one. Where somebody chose the limit, they chose the start too, and the way
    begins there.
    """
    sign, step = (1, sequence.increment) if sequence.increment > 0 else (-1, -sequence.increment)
    start, last = sign * (sequence.start if begin is None else begin), sign * last_value
    if limit in _TYPE_ENDS and begin is None:
        first_possible = sequence.minimum if sign > 0 else -sequence.maximum
        start = min(start, max(first_possible, 1))
    given = 1 if is_called else 0
    return Room(
        used=max(0, (last - start) // step + given),
        remaining=max(0, (sign * limit - last) // step + 1 - given),
    )


def next_value(sequence: Sequence, value: SequenceValue) -> int | None:
    """Return what nextval() will answer; None when that is not known, or when it will fail: the sequence is full."""
    if value.last_value is None or value.is_called is None:
        return None
    if not value.is_called:
        return value.last_value
    following = value.last_value + sequence.increment
    if sequence.minimum <= following <= sequence.maximum:
        return following
    if not sequence.cycles:
        return None
    return sequence.minimum if sequence.increment > 0 else sequence.maximum
