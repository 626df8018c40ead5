"""Sections as few bytes: what comes out is what went in, alone and as a difference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.counters.packing import KEPT, join, pack, part, unpack
from dbops.snapshot.counter_rows import StatementCounters
from dbops.snapshot.snapshot import SECTIONS
from tests.builders import statistics_of

NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)


def a_counter(query_id: int, **values: Any) -> StatementCounters:
    return StatementCounters(
        query_id=query_id,
        role_oid=10,
        is_top_level=True,
        **{
            **dict.fromkeys(
                (
                    "calls",
                    "rows",
                    "shared_blocks_hit",
                    "shared_blocks_read",
                    "shared_blocks_dirtied",
                    "temp_blocks_read",
                    "temp_blocks_written",
                    "wal_bytes",
                ),
                0,
            ),
            **dict.fromkeys(("total_ms", "min_ms", "max_ms", "block_read_ms"), 0.0),
            "counted_since": None,
            **values,
        },
    )


COUNTERS = st.builds(
    a_counter,
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    calls=st.integers(min_value=0, max_value=2**63),
    total_ms=st.integers(min_value=0, max_value=2**45).map(lambda number: number / 1000),
    wal_bytes=st.integers(min_value=0, max_value=2**70),
    counted_since=st.none()
    | st.datetimes(min_value=datetime(2000, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)),  # noqa: DTZ001  hypothesis wants its bounds naive
)
MANY = st.lists(COUNTERS, unique_by=lambda row: row.query_id, max_size=8).map(tuple)


@given(MANY)
def test_rows_come_back(rows: tuple[StatementCounters, ...]) -> None:
    assert unpack("statement_counters", pack("statement_counters", rows)) == rows


@given(MANY, MANY, st.randoms())
def test_differences_come_back_in_whatever_order(
    earlier: tuple[StatementCounters, ...], new: tuple[StatementCounters, ...], random: Any
) -> None:
    known = {row.query_id for row in earlier}
    kept = [replace(row, calls=row.calls + 3, counted_since=NOON) for row in earlier if row.query_id % 2]
    rows = [*kept, *(row for row in new if row.query_id not in known)]
    random.shuffle(rows)
    packed = pack("statement_counters", rows, earlier)
    found = unpack("statement_counters", packed, earlier)
    assert sorted(found, key=lambda row: row.query_id) == sorted(rows, key=lambda row: row.query_id)


def test_what_may_be_unknown_comes_and_goes() -> None:
    known = statistics_of(1, vacuumed_at=NOON, newpage_updates=3)
    unknown = statistics_of(1, vacuumed_at=None, newpage_updates=None)
    for earlier, later in ((known, unknown), (unknown, known)):
        assert unpack("table_statistics", pack("table_statistics", [later], [earlier]), [earlier]) == (later,)


def test_what_did_not_change_takes_next_to_nothing() -> None:
    rows = [a_counter(number * 7919, calls=number, total_ms=number / 3) for number in range(1000)]
    rows = list(unpack("statement_counters", pack("statement_counters", rows)))
    alone, same = pack("statement_counters", rows), pack("statement_counters", rows, rows)
    assert len(same) < 200 < len(alone) / 30


@pytest.mark.parametrize("section", sorted(KEPT))
def test_every_kept_section_has_the_fields_that_tell_its_rows_apart(section: str) -> None:
    assert set(KEPT[section]) <= set(SECTIONS[section].__dataclass_fields__)
    assert unpack(section, pack(section, ())) == ()


def test_parts_come_back() -> None:
    parts = {"a": b"\n\x00{}", "b": b"", "c": b"x" * 1000}
    assert part(join(parts)) == parts
    assert part(memoryview(join({}))) == {}


def test_moments_are_kept_to_the_microsecond() -> None:
    row = a_counter(1, counted_since=NOON + timedelta(days=20_000), total_ms=1.0005)
    (found,) = unpack("statement_counters", pack("statement_counters", [row]))
    assert found.counted_since == row.counted_since
    assert abs(found.total_ms - row.total_ms) <= 0.001


def test_what_an_older_version_kept_is_read_by_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Older:
        dropped: int
        blocks_hit: int
        commits: int

    rows = [Older(dropped=1, blocks_hit=2, commits=3)]
    later = [Older(dropped=1, blocks_hit=5, commits=9)]
    with monkeypatch.context() as patched:
        patched.setitem(SECTIONS, "database_statistics", Older)
        packed, patch = pack("database_statistics", rows), pack("database_statistics", later, rows)
    (found,) = earlier = unpack("database_statistics", packed)
    assert (found.commits, found.blocks_hit, found.deadlocks) == (3, 2, None)
    (found,) = unpack("database_statistics", patch, earlier)
    assert (found.commits, found.blocks_hit, found.deadlocks) == (9, 5, None)
