"""A query that takes a large part of what the server does: of its time, its blocks, its temporary files or its WAL.

What takes a third of the load is where an hour of work pays most: making it half as expensive gives a sixth of the
server back. That is so though each of its executions may seem fast.

How to fix:

Run it less often (cache what it gives, fetch for many rows at once, do not ask on every request), or make it cheaper:
look at EXPLAIN (ANALYZE, BUFFERS) for blocks that are read and thrown away. Temporary files mean that work_mem is too
small for it. WAL comes from writing: update fewer rows and only when something changes, drop indexes that nobody uses.

Not reported: what is no load by itself (below 5 % of one core, 10,000 blocks a second, 1 GB of temporary files or WAL
an hour), queries that are as cheap as one can be (a look-up by key, an INSERT of some rows) however often they run,
what ran a few times only, utility statements and transaction control. A share is only a warning where the load is
large, too, and never critical: some statement is always the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Confidence, Severity, Tag, Unseen
from dbops.findings.query_findings import hidden, queries, query_finding
from dbops.snapshot.amounts import format_bytes, format_count, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dbops.findings.finding import Finding
    from dbops.snapshot.activity_rows import StatementActivity, Window
    from dbops.snapshot.counter_rows import StatementTracking

TAG = Tag.LIVE

#: pg_stat_statements counts temporary blocks; of how many bytes, only a server built otherwise differs.
_BLOCK_BYTES: Final = 8192


@dataclass(frozen=True, slots=True)
class _Resource:
    """Something that a statement uses: how much in all, and from where on that is a load and a call is not cheap."""

    name: str
    key: str
    used: Callable[[StatementActivity], float]
    load_per_s: float
    per_call: float
    said: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class _Share:
    resource: _Resource
    ratio: float
    is_large: bool

    @property
    def text(self) -> str:
        return f"{self.ratio:.0%} of {self.resource.name}"


def check(
    statement_activity: tuple[StatementActivity, ...],
    statement_window: tuple[Window, ...],
    statement_tracking: tuple[StatementTracking, ...] | None = None,
    *,
    share_ratio: float = 0.10,  # the first few of any list
    large_share_ratio: float = 0.33,  # then no other work pays as much
    load_ratio: float = 0.05,  # of one core, by this statement: less is no load
    blocks_per_s: float = 10_000,  # 80 MB/s, a few per cent of one core when they are cached
    temp_bytes_per_hour: int = 1024**3,  # less is absorbed by the system's cache
    wal_bytes_per_hour: int = 1024**3,  # as much as max_wal_size: less makes no checkpoint
    large_load_factor: float = 5.0,  # times these loads (a quarter of a core) is worth a warning
    cheap_ms: float = 1.0,  # a look-up by key takes a tenth
    cheap_blocks: int = 100,  # a look-up by key takes some four for each table
    cheap_wal_bytes: int = 64 * 1024,  # a row with its indexes, each page in full
    many_calls: int = 10,  # a migration or an import that ran once is over
    short_window_h: float = 1.0,  # the shares of some minutes are not those of a day
) -> Iterator[Finding | Unseen]:
    window = statement_window[0]
    if window.hours < short_window_h:
        yield Unseen("all statements", f"counted for less than {short_window_h:g} h, which says nothing of shares")
        return
    resources = (
        _Resource("execution time", "total_ms", lambda one: one.total_ms, load_ratio * 1000, cheap_ms, _said_ms),
        _Resource("blocks read", "blocks", _blocks, blocks_per_s, cheap_blocks, _said_blocks),
        _Resource("temporary files", "temp_bytes", _temp_bytes, temp_bytes_per_hour / 3600, 1, format_bytes),
        _Resource(
            "WAL", "wal_bytes", lambda one: one.wal_bytes, wal_bytes_per_hour / 3600, cheap_wal_bytes, format_bytes
        ),
    )
    top = [one for one in statement_activity if one.is_top_level]
    totals = {resource.key: sum(map(resource.used, top)) for resource in resources}
    sees_all = not statement_tracking or statement_tracking[0].sees_all_roles
    for statement in queries(top):
        if statement.calls < many_calls:
            continue
        shares = []
        for resource in resources:
            used = resource.used(statement)
            if used <= 0 or used < resource.load_per_s * window.covered_s or used / statement.calls < resource.per_call:
                continue
            ratio = used / totals[resource.key]
            if ratio >= share_ratio:
                is_much = used >= large_load_factor * resource.load_per_s * window.covered_s
                shares.append(_Share(resource, ratio, is_large=is_much and ratio >= large_share_ratio))
        if shares:
            yield _finding(statement, window, shares, sees_all=sees_all)
    yield from hidden(statement_tracking)


def _finding(statement: StatementActivity, window: Window, shares: list[_Share], *, sees_all: bool) -> Finding:
    shares = sorted(shares, key=lambda one: (not one.is_large, -one.ratio))
    first = shares[0].resource
    of_what = "" if sees_all else " of the statements that this role sees"
    used = first.used(statement)
    return query_finding(
        statement,
        window,
        f"{listed([one.text for one in shares], most=4)}{of_what}: {first.said(used)} in "
        f"{format_count(statement.calls)} executions, {first.said(used / statement.calls)} each",
        {
            "share_ratio": round(shares[0].ratio, 3),
            "shares": ", ".join(one.text for one in shares),
            "mean_ms": round(statement.mean_ms, 2),
            "total_ms": round(statement.total_ms, 2),
            "blocks": _blocks(statement),
            "temp_bytes": _temp_bytes(statement),
            "wal_bytes": statement.wal_bytes,
        },
        severity=Severity.WARNING if any(one.is_large for one in shares) else Severity.INFO,
        confidence=Confidence.HIGH if sees_all else Confidence.MEDIUM,
    )


def _blocks(statement: StatementActivity) -> int:
    return statement.shared_blocks_hit + statement.shared_blocks_read


def _temp_bytes(statement: StatementActivity) -> int:
    return statement.temp_blocks_written * _BLOCK_BYTES


def _said_ms(used_ms: float) -> str:
    return f"{used_ms / 1000:,.0f} s" if used_ms >= 10_000 else f"{used_ms:,.1f} ms"


def _said_blocks(used: float) -> str:
    return f"{format_count(round(used))} blocks"
