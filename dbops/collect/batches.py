"""Many small reads in few round trips, each of which may fail alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from dbops.collect.session import LookError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dbops.collect.session import Session

#: Reads are joined by UNION ALL this many at a time: few round trips, few locks held at once.
BATCH: Final = 100
#: How long all the reads of one section may take together, in seconds: a look must end.
_BUDGET_S: Final = 20.0
LOCKED: Final = "locked by another session"
#: Why a read failed, by SQLSTATE.
REASONS: Final[Mapping[str | None, str]] = {
    "42501": "not allowed to read it",
    "42P01": "dropped meanwhile",
    "55P03": LOCKED,
    "57014": "reading it took too long",
}


def parted(answer: Mapping[str, Any] | str) -> tuple[Mapping[str, Any], str | None]:
    """Return what was read, nothing where it was not, and the reason why not."""
    return ({}, answer) if isinstance(answer, str) else (answer, None)


def read_each(session: Session, queries: Sequence[str], *, batch: int = BATCH) -> list[Mapping[str, Any] | str]:
    """Run queries (what follows SELECT) of one row each, many at a time: return each one's row, or why there is none.

    When a batch fails it is halved until the one that fails stands alone, so that a single table that was dropped or
    locked meanwhile costs only itself.
    """
    answers: list[Mapping[str, Any] | str] = ["not enough time"] * len(queries)
    ends_at = time.monotonic() + _BUDGET_S
    batches = [range(start, min(start + batch, len(queries))) for start in range(0, len(queries), batch)]
    batches.reverse()
    while batches and time.monotonic() < ends_at:
        some = batches.pop()
        sql = "\nUNION ALL ".join(f"SELECT {position} AS position, {queries[position]}" for position in some)
        try:
            for row in session.read(sql):
                answers[row.pop("position")] = row
        except LookError as error:
            if len(some) == 1:
                answers[some[0]] = REASONS.get(error.sqlstate, str(error))
            else:
                middle = len(some) // 2
                batches += [some[middle:], some[:middle]]
    return answers
