"""What follows from a sequence's definition and where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbops.snapshot.rows import Sequence, SequenceValue


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
