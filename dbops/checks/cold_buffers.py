"""A database that has to read much of what it needs from outside of shared_buffers.

Every page that a statement looks at goes through shared_buffers. What is not there is asked for from the operating
system, which may have it in its own cache (some microseconds) or on disk (up to milliseconds). So a low hit ratio is a
hint and no fault by itself: a small shared_buffers beside much free memory shows one, and all is well. With
track_io_timing on it is known how long the reads took, and the finding says whether that was the disk.

How to fix:

See first who reads: the finding names the tables in the statements that read the most, where pg_stat_statements is
there. A statement that reads a whole table to find a few rows needs an index (scanned_table), not memory. Old rows that
nobody reads can go, or lie in partitions of their own. What is really needed again and again should fit: shared_buffers
of a quarter of the machine's memory (only a restart changes it), or more memory. Switch track_io_timing on to know
whether that is worth it; it costs little where the clock is quick (pg_test_timing).

Not reported: a ratio of 95 % or more; fewer than 50,000 blocks, and a window of less than an hour. COPY, VACUUM and the
building of indexes read everything once, whatever the memory: they are left out as far as pg_stat_statements shows them
(a dump is COPY; autovacuum's own reads it does not show, and those of other roles only to pg_read_all_stats). It is
never critical, and only mentioned where the reads were as quick as from the system's cache.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Tag, Target, Unseen
from dbops.findings.query_findings import queries
from dbops.snapshot.amounts import format_bytes, format_count, listed
from dbops.snapshot.names import quote_ident
from dbops.snapshot.statement_tables import named_relations
from dbops.snapshot.statement_text import verb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dbops.snapshot.activity_rows import DatabaseActivity, StatementActivity, Window
    from dbops.snapshot.counter_rows import StatementTracking
    from dbops.snapshot.rows import Server
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.setting_rows import Setting

TAG = Tag.LIVE

#: What reads everything once.
_THROUGH_ALL: Final = frozenset(
    {"copy", "vacuum", "analyze", "analyse", "create", "reindex", "cluster", "refresh", "alter"}
)
#: Of fewer reads the mean time says little.
_TIMED_BLOCKS: Final = 1_000


def check(
    schema: Schema,
    server: tuple[Server, ...],
    window: tuple[Window, ...],
    database_activity: tuple[DatabaseActivity, ...],
    settings: tuple[Setting, ...] | None = None,
    statement_activity: tuple[StatementActivity, ...] | None = None,
    statement_window: tuple[Window, ...] | None = None,
    statement_tracking: tuple[StatementTracking, ...] | None = None,
    *,
    hit_ratio: float = 0.95,  # what fits into memory is found there by more than that
    low_ratio: float = 0.9,  # from here on it is a warning, where the reads take time
    least_blocks: int = 50_000,  # fewer are those of a start, or of one report
    quick_ms: float = 0.05,  # for a block: the system's cache takes less, an SSD more
    short_window_h: float = 1.0,  # some minutes may be those of a job
) -> Iterator[Finding | Unseen]:
    database, hours = quote_ident(server[0].database), window[0].hours
    if hours < short_window_h:
        yield Unseen(database, f"counted for less than {short_window_h:g} h, which may be those of one job")
        return
    statements = statement_activity or ()
    sees_all = bool(statement_tracking) and all(one.sees_all_roles for one in statement_tracking or ())
    are_passes_known = sees_all and statement_window is not None and window[0].is_as_long_as(statement_window[0])
    hit, read = _without_passes(database_activity[0], statements if are_passes_known else ())
    if hit + read < least_blocks:
        yield Unseen(database, f"fewer than {format_count(least_blocks)} blocks were asked for within {hours:,.0f} h")
        return
    ratio = hit / (hit + read)
    if ratio >= hit_ratio:
        return
    known = {setting.name: setting.value for setting in settings or ()}
    each_ms = _read_ms(statements) if known.get("track_io_timing") == "on" else None
    is_quick = each_ms is not None and each_ms <= quick_ms
    evidence: dict[str, int | float | str] = {
        "hit_ratio": round(ratio, 4),
        "blocks_hit": hit,
        "blocks_read": read,
        "window_hours": round(hours, 2),
    }
    if each_ms is not None:
        evidence["read_ms_per_block"] = round(each_ms, 4)
    message = _message(known, hit, read, each_ms, is_quick=is_quick) + _readers(schema, statements)
    confidence = Confidence.MEDIUM if each_ms is None else Confidence.HIGH  # what a miss costs
    if not are_passes_known:
        message, confidence = f"{message} What a dump may have read is among them.", Confidence.LOW
    yield Finding(
        target=Target(Kind.DATABASE, database),
        message=message,
        severity=Severity.WARNING if ratio < low_ratio and not is_quick else Severity.INFO,
        confidence=confidence,
        basis=Basis.MEASURED,
        evidence=evidence,
    )


def _without_passes(activity: DatabaseActivity, statements: Iterable[StatementActivity]) -> tuple[int, int]:
    """Return the blocks that were found and that were read, without those of statements that go through all."""
    passes = [one for one in statements if one.is_top_level and one.text is not None and verb(one.text) in _THROUGH_ALL]
    hit = activity.blocks_hit - sum(one.shared_blocks_hit for one in passes)
    read = activity.blocks_read - sum(one.shared_blocks_read for one in passes)
    return max(hit, 0), max(read, 0)


def _read_ms(statements: Iterable[StatementActivity]) -> float | None:
    """Return how long the queries' reads took on average; None where too few were seen."""
    seen = list(queries(statements))
    read = sum(one.shared_blocks_read for one in seen)
    return sum(one.block_read_ms for one in seen) / read if read >= _TIMED_BLOCKS else None


def _message(known: dict[str, str | None], hit: int, read: int, each_ms: float | None, *, is_quick: bool) -> str:
    buffers, block_bytes = known.get("shared_buffers"), int(known.get("block_size") or 8192)
    size = f" ({format_bytes(int(buffers) * block_bytes)})" if buffers else ""
    found = f"{hit / (hit + read):.1%} of {format_count(hit + read)} blocks were in shared_buffers{size}, and"
    if each_ms is None:
        is_off = known.get("track_io_timing") == "off"
        why = "track_io_timing is off" if is_off else "too few reads of statements are known"
        return (
            f"{found} {format_count(read)} were read from elsewhere: whether from the disk or the system's cache is "
            f"not known, as {why}."
        )
    took = f"{found} reading one of the other {format_count(read)} took {each_ms:.2g} ms on average:"
    if is_quick:
        return f"{took} as quick as from the system's cache, so that more shared_buffers would gain little."
    return f"{took} that is the disk, and not the system's cache."


def _readers(schema: Schema, statements: Sequence[StatementActivity]) -> str:
    """Return the sentence that names the tables in the statements that read the most, after a space."""
    reads: dict[str, int] = defaultdict(int)
    total = 0
    for one in queries(statements):
        total += one.shared_blocks_read
        named = (
            schema.resolve(f'{where}"."{name}' if where else name) for where, name in named_relations(one.text or "")
        )
        for name in {schema.root(table).qualified_name for table in named if table is not None}:
            reads[name] += one.shared_blocks_read
    most = sorted((name for name, read in reads.items() if read), key=lambda name: (-reads[name], name))[:3]
    shares = [f"{name} ({reads[name] / total:.0%})" for name in most]
    return f" Of what queries read, the most was by those on {listed(shares)}." if shares else ""
