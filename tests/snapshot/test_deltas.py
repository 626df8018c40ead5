"""Counters are subtracted, and whatever happened in between no rate is ever too high."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.snapshot.activity_rows import DatabaseActivity, IndexActivity
from dbops.snapshot.counter_rows import (
    DatabaseStatistics,
    StatementCounters,
    StatementText,
    StatementTracking,
    StatisticsEpoch,
)
from dbops.snapshot.deltas import (
    Span,
    database_activity,
    epoch_of,
    index_activity,
    statement_activity,
    statement_epoch_of,
    table_activity,
    window_of,
)
from dbops.snapshot.rows import IndexStatistics
from dbops.snapshot.snapshot import Unavailable
from tests.builders import statistics_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.snapshot.activity_rows import StatementActivity, TableActivity

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROUNDING_MS = 0.02
COUNTED = StatementCounters(
    query_id=7,
    role_oid=10,
    is_top_level=True,
    calls=10,
    rows=10,
    total_ms=100.0,
    min_ms=5.0,
    max_ms=20.0,
    shared_blocks_hit=100,
    shared_blocks_read=100,
    shared_blocks_dirtied=0,
    temp_blocks_read=0,
    temp_blocks_written=0,
    block_read_ms=0.0,
    wal_bytes=0,
    counted_since=None,
)
TRACKING = StatementTracking(
    is_available=True,
    schema="public",
    version="1.10",
    is_loaded=True,
    most=5000,
    track="all",
    entries=1,
    deallocations=0,
    reset_at=NOON - 24 * HOUR,
    sees_all_roles=True,
)
EPOCH = StatisticsEpoch(
    system_identifier=1,
    database_oid=5,
    started_at=NOON - 48 * HOUR,
    database_reset_at=None,
    server_reset_at=None,
    observed_at=NOON,
)


def span(began: dict[str, Any], ended: dict[str, Any], *, at: datetime = NOON, hours: float = 1) -> Span:
    return Span(at, began, at + hours * HOUR, ended)


def tables(*rows: Any) -> dict[str, Any]:
    return {"table_statistics": rows}


def only_table(*spans: Span) -> TableActivity:
    (row,) = table_activity(spans)
    return row


def statements(*rows: Any, **tracking: Any) -> dict[str, Any]:
    return {"statement_counters": rows, "statement_tracking": (replace(TRACKING, **tracking),)}


def ran(began: StatementCounters, ended: StatementCounters) -> tuple[StatementActivity, ...]:
    return statement_activity([span(statements(began), statements(ended))], ())


def test_a_table_has_what_was_added() -> None:
    before = statistics_of(inserts=10, updates=5, hot_updates=2, deletes=1, newpage_updates=3, sequential_scans=4)
    after = statistics_of(inserts=17, updates=9, hot_updates=3, deletes=1, newpage_updates=3, sequential_scans=5)
    row = only_table(span(tables(before), tables(after)))
    assert (row.inserts, row.updates, row.hot_updates, row.deletes) == (7, 4, 1, 0)
    assert (row.newpage_updates, row.sequential_scans, row.index_scans) == (0, 1, 0)


def test_several_spans_are_added_up() -> None:
    first = span(tables(statistics_of(inserts=10)), tables(statistics_of(inserts=15)))
    second = span(tables(statistics_of(inserts=100)), tables(statistics_of(inserts=103)), at=NOON + 3 * HOUR)
    assert only_table(first, second).inserts == 8
    window = window_of([first, second], source="history", breaks=["restarted"])
    assert window.covered_s == 2 * 3600
    assert (window.started_at, window.ended_at) == (NOON, NOON + 4 * HOUR)
    assert window.breaks == ("restarted",)
    assert window.hours == 2


def test_a_new_table_counts_from_zero_and_a_dropped_one_is_gone() -> None:
    before, after = tables(statistics_of(1, inserts=5)), tables(statistics_of(2, inserts=6))
    (row,) = table_activity([span(before, after)])
    assert (row.oid, row.inserts) == (2, 6)


def test_a_table_that_is_gone_in_the_last_span_is_gone() -> None:
    first = span(tables(), tables(statistics_of(1, inserts=5)))
    assert table_activity([first, span(tables(), tables(), at=NOON + HOUR)]) == ()


def test_a_table_whose_counters_began_anew_has_what_they_show() -> None:
    before = statistics_of(inserts=100, updates=1, sequential_scans=9)
    after = statistics_of(inserts=3, updates=4, sequential_scans=10)
    row = only_table(span(tables(before), tables(after)))
    assert (row.inserts, row.updates, row.sequential_scans) == (3, 4, 10)


def test_what_postgresql_15_does_not_count_is_none() -> None:
    row = only_table(span(tables(statistics_of(updates=1)), tables(statistics_of(updates=2))))
    assert (row.updates, row.newpage_updates) == (1, None)


def test_what_is_known_in_one_span_only_is_none_in_the_sum() -> None:
    old = span(tables(statistics_of()), tables(statistics_of()))
    new = span(tables(statistics_of(newpage_updates=1)), tables(statistics_of(newpage_updates=2)), at=NOON + HOUR)
    assert only_table(old, new).newpage_updates is None
    assert only_table(new, replace(old, started_at=NOON + 3 * HOUR)).newpage_updates is None


def test_indexes_and_the_database_are_subtracted_too() -> None:
    before = {"index_statistics": (IndexStatistics(oid=100, scans=5, entries_read=50),)}
    after = {
        "index_statistics": (
            IndexStatistics(oid=100, scans=7, entries_read=52),
            IndexStatistics(oid=101, scans=1, entries_read=9),
        )
    }
    assert index_activity([span(before, after)]) == (
        IndexActivity(oid=100, scans=2, entries_read=2),
        IndexActivity(oid=101, scans=1, entries_read=9),
    )
    names = ("commits", "rollbacks", "blocks_hit", "blocks_read", "temp_files", "temp_bytes", "deadlocks")
    began = {"database_statistics": (DatabaseStatistics(**dict.fromkeys(names, 10)),)}
    ended = {"database_statistics": (DatabaseStatistics(**{name: 11 + n for n, name in enumerate(names)}),)}
    expected = DatabaseActivity(**{name: 1 + n for n, name in enumerate(names)})
    assert database_activity([span(began, ended)]) == (expected,)


LIFE = st.tuples(*[st.integers(0, 1000)] * 3)


@given(st.lists(st.tuples(st.booleans(), LIFE), min_size=2, max_size=8))
def test_tables_never_show_more_than_was_done(steps: list[tuple[bool, tuple[int, int, int]]]) -> None:
    """Each step is a look, before it more is done, perhaps after a reset of the table's counters."""
    names = ("inserts", "updates", "sequential_scans")
    counted, done = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    looks: list[Any] = []
    for is_reset, added in steps:
        if is_reset:
            counted = dict.fromkeys(names, 0)
        for name, number in zip(names, added, strict=True):
            counted[name] += number
            done[name] += number if looks else 0
        looks.append(statistics_of(**counted))
    row = only_table(span(tables(looks[0]), tables(looks[-1])))
    assert all(0 <= getattr(row, name) <= done[name] for name in names)


def test_a_statement_has_what_it_did_in_the_window() -> None:
    (row,) = ran(COUNTED, replace(COUNTED, calls=14, rows=18, total_ms=140.0, shared_blocks_read=103))
    assert (row.calls, row.rows, row.total_ms, row.shared_blocks_read, row.mean_ms) == (4, 8, 40.0, 3, 10.0)


def test_a_statement_that_did_not_run_in_the_window_is_left_out() -> None:
    assert ran(COUNTED, COUNTED) == ()


def test_a_statement_first_seen_in_the_window_counts_whole_and_one_dropped_is_gone() -> None:
    other = replace(COUNTED, query_id=8)
    (row,) = ran(COUNTED, other)
    assert (row.query_id, row.calls) == (8, 10)


def test_what_two_roles_ran_is_added_up_and_what_functions_ran_is_apart() -> None:
    other, inner = replace(COUNTED, role_oid=11, max_ms=30.0), replace(COUNTED, is_top_level=False)
    began = statements(COUNTED, other, inner)
    ended = statements(
        replace(COUNTED, calls=12, total_ms=120.0),
        replace(other, calls=13, total_ms=130.0),
        replace(inner, calls=11, total_ms=110.0),
    )
    rows = {row.is_top_level: row for row in statement_activity([span(began, ended)], ())}
    assert (rows[True].calls, rows[True].total_ms, rows[True].max_ms) == (5, 50.0, 30.0)
    assert rows[False].calls == 1


def test_statements_of_several_spans_are_added_up() -> None:
    more = replace(COUNTED, calls=15, total_ms=150.0)
    first = span(statements(COUNTED), statements(more))
    second = span(statements(COUNTED), statements(more), at=NOON + 2 * HOUR)
    (row,) = statement_activity([first, second], ())
    assert (row.calls, row.total_ms) == (10, 100.0)


def test_texts_are_found_and_own_statements_left_out() -> None:
    own, lost = replace(COUNTED, query_id=8), replace(COUNTED, query_id=9)
    texts = (
        StatementText(query_id=7, text="SELECT $1", is_own=False),
        StatementText(query_id=8, text="SELECT $1", is_own=True),
    )
    rows = statement_activity([span(statements(), statements(COUNTED, own, lost))], texts)
    assert {row.query_id: row.text for row in rows} == {7: "SELECT $1", 9: None}


@pytest.mark.parametrize(
    "anew",
    [
        {"calls": 9, "total_ms": 101.0},
        {"calls": 20, "total_ms": 90.0},
        {"calls": 20, "total_ms": 200.0, "rows": 9},
        {"calls": 20, "total_ms": 200.0, "shared_blocks_hit": 99},
        {"calls": 20, "total_ms": 200.0, "min_ms": 6.0},
        {"calls": 20, "total_ms": 200.0, "max_ms": 19.0},
        # One more call that took longer than any ever did, and ten that took less.
        {"calls": 11, "total_ms": 121.0},
        {"calls": 20, "total_ms": 149.0},
        {"calls": 10, "total_ms": 150.0},
    ],
)
def test_a_statement_that_was_dropped_and_came_back_shows_before_17(anew: dict[str, Any]) -> None:
    ended = replace(COUNTED, **anew)
    (row,) = ran(COUNTED, ended)
    assert (row.calls, row.total_ms, row.rows) == (ended.calls, ended.total_ms, ended.rows)


def test_from_17_on_the_server_says_whether_a_statement_came_back() -> None:
    began = replace(COUNTED, counted_since=NOON - HOUR)
    more = replace(began, calls=15, total_ms=150.0)
    assert [row.calls for row in ran(began, more)] == [5]
    assert [row.calls for row in ran(began, replace(more, counted_since=NOON + HOUR / 2))] == [15]
    # pg_stat_statements_reset(minmax_only => true) makes the extremes no sign of it.
    assert [row.calls for row in ran(began, replace(more, min_ms=9.0, max_ms=11.0))] == [5]


def test_what_another_role_ran_is_not_new_because_it_has_become_visible() -> None:
    theirs = replace(COUNTED, query_id=8, role_oid=11, calls=1_000_000)
    mine = replace(COUNTED, query_id=9)
    began = statements(COUNTED, sees_all_roles=False)
    ended = statements(COUNTED, theirs, mine)
    assert [row.query_id for row in statement_activity([span(began, ended)], ())] == [9]
    fresh = replace(theirs, counted_since=NOON + HOUR / 2)
    found = statement_activity([span(began, statements(COUNTED, fresh))], ())
    assert [row.query_id for row in found] == [8]


def test_dropped_entries_make_it_a_lower_bound() -> None:
    for before, after, is_lower in ((0, 0, False), (3, 3, False), (3, 4, True), (None, None, False), (None, 1, True)):
        began, ended = statements(deallocations=before), statements(deallocations=after)
        assert window_of([span(began, ended)], source="history").is_lower_bound is is_lower
    assert window_of([span({}, statements(deallocations=2))], source="pg_stat_statements").is_lower_bound
    assert not window_of([span({}, {})], source="pg_stat_database").is_lower_bound


def test_epochs_tell_servers_databases_restarts_and_resets_apart() -> None:
    def of(**values: Any) -> Any:
        return epoch_of({"statistics_epoch": (replace(EPOCH, **values),)})

    assert of(observed_at=NOON + HOUR) == of()
    assert of().counted_since is None
    later = ({"started_at": NOON}, {"database_reset_at": NOON}, {"server_reset_at": NOON})
    for values in ({"system_identifier": 2}, {"system_identifier": None}, {"database_oid": 6}, *later):
        assert of(**values) != of()
    assert of(database_reset_at=NOON, server_reset_at=NOON - HOUR).counted_since == NOON


def test_statements_have_an_epoch_of_their_own() -> None:
    sections = {"statistics_epoch": (EPOCH,), "statement_tracking": (TRACKING,)}
    epoch = statement_epoch_of(sections)
    assert epoch is not None
    assert epoch.counted_since == TRACKING.reset_at
    unread = (replace(TRACKING, reset_at=None),)
    assert statement_epoch_of({**sections, "statement_tracking": unread}) is None
    assert statement_epoch_of({**sections, "statement_tracking": Unavailable("no")}) is None
    assert statement_epoch_of({"statement_tracking": (TRACKING,)}) is None
    assert epoch_of({"statistics_epoch": Unavailable("no")}) is None


@dataclass
class Life:
    """A statement as the server counts it, and as it truly was."""

    tells_since: bool
    now: datetime = NOON
    entry: list[float] = field(default_factory=list)
    since: datetime = NOON
    durations: list[float] = field(default_factory=list)
    looks: list[tuple[int, tuple[StatementCounters, ...]]] = field(default_factory=list)

    def run(self, duration: float) -> None:
        self.since = self.since if self.entry else self.now
        self.entry.append(duration)
        self.durations.append(duration)

    def look(self) -> None:
        rows: tuple[StatementCounters, ...] = ()
        if self.entry:
            calls = len(self.entry)
            row = replace(
                COUNTED,
                calls=calls,
                rows=calls,
                total_ms=sum(self.entry),
                min_ms=min(self.entry),
                max_ms=max(self.entry),
                shared_blocks_hit=calls,
                shared_blocks_read=0,
                counted_since=self.since if self.tells_since else None,
            )
            rows = (row,)
        self.looks.append((len(self.durations), rows))

    def live(self, steps: Sequence[float | str]) -> None:
        self.look()
        for step in steps:
            self.now += timedelta(seconds=1)
            if step == "dropped":
                self.entry = []
            elif step == "look":
                self.look()
            else:
                assert isinstance(step, float)
                self.run(step)
        self.look()


STEPS = st.lists(
    st.one_of(st.floats(0, 1000), st.sampled_from([1.0, 2.0]), st.just("dropped"), st.just("look")), max_size=40
)


@given(steps=STEPS, tells_since=st.booleans())
def test_a_statement_never_has_more_calls_or_another_mean_than_it_had(
    steps: list[float | str],
    tells_since: bool,
) -> None:
    life = Life(tells_since)
    life.live(steps)
    for first, (before, began) in enumerate(life.looks):
        for after, ended in life.looks[first + 1 :]:
            true = life.durations[before:after]
            for row in statement_activity([span(statements(*began), statements(*ended))], ()):
                assert 0 < row.calls <= len(true)
                assert row.rows <= len(true)
                shortest, longest = min(life.durations), max(life.durations)
                assert shortest - ROUNDING_MS <= row.mean_ms <= longest + ROUNDING_MS
                if tells_since:
                    assert row.total_ms <= sum(true) + ROUNDING_MS
