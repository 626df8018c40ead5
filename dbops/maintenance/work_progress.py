"""How far the server is with VACUUM, ANALYZE or an index: read from its progress views, told as a part of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dbops.collect.session import Session

#: One row while the process works at something. Locks: none.
PROGRESS: Final = """
SELECT 'vacuum' AS command, phase, heap_blks_scanned AS scanned, heap_blks_vacuumed AS done, heap_blks_total AS total,
       NULL::bigint AS waits_for
FROM pg_stat_progress_vacuum WHERE pid = %s
UNION ALL
SELECT 'analyze', phase, sample_blks_scanned, 0, sample_blks_total, NULL
FROM pg_stat_progress_analyze WHERE pid = %s
UNION ALL
SELECT 'index', phase, CASE WHEN blocks_total > 0 THEN blocks_done ELSE tuples_done END, 0,
       CASE WHEN blocks_total > 0 THEN blocks_total ELSE tuples_total END, nullif(current_locker_pid, 0)
FROM pg_stat_progress_create_index WHERE pid = %s
"""
#: Where each phase begins and ends, as parts of the whole: a guess, as nobody knows beforehand how long each takes.
_SHARES: Final[Mapping[tuple[str, str], tuple[float, float]]] = {
    ("vacuum", "scanning heap"): (0.0, 0.5),
    ("vacuum", "vacuuming indexes"): (0.5, 0.5),
    ("vacuum", "vacuuming heap"): (0.7, 0.85),
    ("vacuum", "cleaning up indexes"): (0.85, 0.85),
    ("vacuum", "truncating heap"): (0.88, 0.88),
    ("vacuum", "performing final cleanup"): (0.9, 0.9),
    ("analyze", "acquiring sample rows"): (0.9, 0.98),
    ("analyze", "computing statistics"): (0.98, 0.98),
    ("index", "building index: scanning table"): (0.0, 0.4),
    ("index", "building index: sorting live tuples"): (0.4, 0.4),
    ("index", "building index: loading tuples in tree"): (0.5, 0.7),
    ("index", "waiting for writers before validation"): (0.7, 0.7),
    ("index", "index validation: scanning index"): (0.7, 0.8),
    ("index", "index validation: sorting tuples"): (0.8, 0.8),
    ("index", "index validation: scanning table"): (0.85, 0.98),
    ("index", "waiting for old snapshots"): (0.98, 0.98),
    ("index", "waiting for readers before marking dead"): (0.99, 0.99),
    ("index", "waiting for readers before dropping"): (0.99, 0.99),
}
#: The phases whose counters are of themselves, and not left over from the phase before.
_COUNTED: Final = frozenset(phase for (_, phase), (begin, end) in _SHARES.items() if end > begin) | {"scanning heap"}


def read_progress(session: Session, pid: int) -> tuple[str, float] | None:
    """Return in words what the process `pid` is at, and which part of its work is done (0 to 1); None for nothing."""
    with session.transaction():
        session.hide_schemas()
        row = next(iter(session.read(PROGRESS, [pid, pid, pid])), None)
    return None if row is None else (words(row), part_done(row))


def words(row: Mapping[str, Any]) -> str:
    """Return the phase as the server names it, how far it is, and which process it waits for."""
    phase: str = row["phase"]
    if row["waits_for"]:
        return f"{phase}, now for pid {row['waits_for']}"
    ratio = _ratio(row)
    return phase if ratio is None else f"{phase} {ratio:.0%}"


def part_done(row: Mapping[str, Any]) -> float:
    """Return which part of the whole is done, 0 to 1: a rough measure, as phases differ."""
    begin, end = _SHARES.get((row["command"], row["phase"]), (0.0, 0.0))
    return begin + (end - begin) * (_ratio(row) or 0.0)


def _ratio(row: Mapping[str, Any]) -> float | None:
    count = row["done"] if row["phase"] == "vacuuming heap" else row["scanned"]
    if not row["total"] or count is None or row["phase"] not in _COUNTED:
        return None
    return min(float(count) / float(row["total"]), 1.0)
