"""A look with the windows that earlier points and the server's own resets allow, and never a longer one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dbops.snapshot.activity import BEGAN_ANEW, MADE_OF, NO_HISTORY, with_activity
from dbops.snapshot.counter_rows import (
    DatabaseStatistics,
    StatementCounters,
    StatementText,
    StatementTracking,
    StatisticsEpoch,
)
from dbops.snapshot.deltas import Epoch, epoch_of, statement_epoch_of
from dbops.snapshot.rows import IndexStatistics
from dbops.snapshot.snapshot import Snapshot, Unavailable
from tests.builders import statistics_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dbops.snapshot.snapshot import Section

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOOTED = NOON - 100 * HOUR
STATEMENTS = ("statement_window", "statement_activity")
TABLES = ("window", "table_activity", "index_activity", "database_activity")
KNOWN: dict[str, Any] = {"database_reset_at": NOON - 30 * HOUR}


def counted(
    at: datetime,
    number: int,
    *,
    statements_reset_at: datetime | None = BOOTED,
    deallocations: int = 0,
    **epoch: Any,
) -> dict[str, Section]:
    """Return sections in which everything was counted up to `number`."""
    names = ("commits", "rollbacks", "blocks_hit", "blocks_read", "temp_files", "temp_bytes", "deadlocks")
    seen = {
        "system_identifier": 1,
        "database_oid": 5,
        "started_at": BOOTED,
        "database_reset_at": None,
        "server_reset_at": None,
        "observed_at": at,
        **epoch,
    }
    tracking = StatementTracking(
        is_available=True,
        schema="public",
        version="1.10",
        is_loaded=True,
        most=5000,
        track="all",
        entries=1,
        deallocations=deallocations,
        reset_at=statements_reset_at,
        sees_all_roles=True,
    )
    statement = StatementCounters(
        query_id=7,
        role_oid=10,
        is_top_level=True,
        calls=number,
        rows=number,
        total_ms=float(number),
        min_ms=1.0,
        max_ms=1.0,
        shared_blocks_hit=0,
        shared_blocks_read=0,
        shared_blocks_dirtied=0,
        temp_blocks_read=0,
        temp_blocks_written=0,
        block_read_ms=0.0,
        wal_bytes=0,
        counted_since=None,
    )
    return {
        "statistics_epoch": (StatisticsEpoch(**seen),),
        "table_statistics": (statistics_of(inserts=number),),
        "index_statistics": (IndexStatistics(oid=100, scans=number, entries_read=number),),
        "database_statistics": (DatabaseStatistics(**dict.fromkeys(names, number)),),
        "statement_tracking": (tracking,),
        "statement_counters": (statement,),
        "statement_texts": (StatementText(query_id=7, text="SELECT $1", is_own=False),),
    }


@dataclass(frozen=True)
class Point:
    """What was kept of an earlier look: without the texts."""

    sections: Mapping[str, Section]

    @property
    def taken_at(self) -> datetime:
        return self.sections["statistics_epoch"][0].observed_at  # type: ignore[index,no-any-return]

    @property
    def epoch(self) -> Epoch | None:
        return epoch_of(self.sections)

    @property
    def statement_epoch(self) -> Epoch | None:
        return statement_epoch_of(self.sections)

    def load(self, sections: Iterable[str]) -> Mapping[str, Section]:
        kept = {name: one for name, one in self.sections.items() if name != "statement_texts"}
        return {name: kept.get(name, Unavailable("not kept")) for name in sections}


def point(hours_ago: float, number: int, **values: Any) -> Point:
    return Point(counted(NOON - hours_ago * HOUR, number, **values))


def look(*points: Point, number: int = 100, without: Mapping[str, str] | None = None, **values: Any) -> Snapshot:
    """A look at noon; `without` says why sections are not there."""
    sections = {**counted(NOON, number, **values), **{name: Unavailable(why) for name, why in (without or {}).items()}}
    snapshot = Snapshot(alias=None, database="app", taken_at=NOON, duration_ms=1, sections=sections)
    return with_activity(snapshot, points)


def only(snapshot: Snapshot, name: str) -> Any:
    section = snapshot.section(name)
    assert not isinstance(section, Unavailable), section
    (row,) = section
    return row


def numbers(snapshot: Snapshot) -> tuple[int, int, int, int]:
    """What was counted of tables, indexes, the database and statements."""
    return (
        only(snapshot, "table_activity").inserts,
        only(snapshot, "index_activity").scans,
        only(snapshot, "database_activity").commits,
        only(snapshot, "statement_activity").calls,
    )


def assert_unavailable(snapshot: Snapshot, names: Iterable[str], reason: str) -> None:
    assert {name: snapshot.section(name) for name in names} == dict.fromkeys(names, Unavailable(reason))


def test_a_window_goes_from_the_first_point_to_the_look() -> None:
    snapshot = look(point(5, 10), point(2, 70))
    assert numbers(snapshot) == (90, 90, 90, 90)
    for name in ("window", "statement_window"):
        window = only(snapshot, name)
        assert (window.started_at, window.ended_at, window.covered_s) == (NOON - 5 * HOUR, NOON, 5 * 3600)
        assert (window.source, window.breaks, window.is_lower_bound) == ("history", (), False)
    assert only(snapshot, "statement_activity").text == "SELECT $1"


def test_points_need_not_be_in_order() -> None:
    assert numbers(look(point(2, 70), point(5, 10))) == (90, 90, 90, 90)


def test_without_points_a_window_goes_back_to_the_known_reset() -> None:
    snapshot = look(database_reset_at=NOON - 30 * HOUR, server_reset_at=NOON - 40 * HOUR)
    assert numbers(snapshot) == (100, 100, 100, 100)
    window, of_statements = only(snapshot, "window"), only(snapshot, "statement_window")
    assert (window.started_at, window.hours, window.source) == (NOON - 30 * HOUR, 30, "pg_stat_database")
    assert (of_statements.started_at, of_statements.source) == (BOOTED, "pg_stat_statements")


def test_without_points_and_resets_there_is_no_window() -> None:
    snapshot = look(statements_reset_at=None)
    assert_unavailable(snapshot, TABLES, NO_HISTORY)
    assert_unavailable(snapshot, STATEMENTS, "since when it counts was not seen")
    bare = Snapshot(alias=None, database="app", taken_at=NOON, duration_ms=1, sections=counted(NOON, 1))
    assert_unavailable(with_activity(bare, (), no_history="kept elsewhere"), TABLES, "kept elsewhere")


def test_without_points_a_reset_in_the_future_gives_no_window() -> None:
    assert_unavailable(look(database_reset_at=NOON + HOUR), TABLES, NO_HISTORY)


def test_a_reset_of_one_table_is_not_the_beginning_of_all_counters() -> None:
    """It moves the moment of the database; tables that were vacuumed before it have counted on."""
    bare = Snapshot(alias=None, database="app", taken_at=NOON, duration_ms=1, sections=counted(NOON, 100, **KNOWN))
    for name in ("vacuumed_at", "autovacuumed_at", "analyzed_at", "autoanalyzed_at"):
        for hours, expected in ((31, Unavailable), (29, tuple)):
            stamp: dict[str, Any] = {name: NOON - hours * HOUR}
            stamped = statistics_of(inserts=100, **stamp)
            sections = {**bare.sections, "table_statistics": (statistics_of(2), stamped)}
            snapshot = with_activity(replace(bare, sections=sections), ())
            assert {type(snapshot.section(section)) for section in TABLES} == {expected}
            assert only(snapshot, "statement_window").source == "pg_stat_statements"


def test_a_restart_between_points_is_not_counted_across() -> None:
    again: dict[str, Any] = {"started_at": NOON - 3 * HOUR}
    points = (point(10, 10), point(6, 30), point(2, 31, **again))
    snapshot = look(*points, number=36, **again)
    assert numbers(snapshot) == (25, 25, 25, 25)
    for name in ("window", "statement_window"):
        window = only(snapshot, name)
        assert (window.started_at, window.ended_at, window.covered_s) == (NOON - 10 * HOUR, NOON, 6 * 3600)
        assert window.breaks == ("restarted at 2026-01-02 09:00",)


def test_a_reset_between_points_is_not_counted_across() -> None:
    reset: dict[str, Any] = {"database_reset_at": NOON - 3 * HOUR}
    snapshot = look(point(10, 10), point(6, 30), point(2, 40, **reset), number=45, **reset)
    assert numbers(snapshot) == (25, 25, 25, 35)
    assert only(snapshot, "window").breaks == ("reset at 2026-01-02 09:00",)
    assert only(snapshot, "statement_window").breaks == ()


def test_a_reset_of_statements_breaks_their_window_only() -> None:
    reset: dict[str, Any] = {"statements_reset_at": NOON - 3 * HOUR}
    snapshot = look(point(10, 10), point(6, 30), point(2, 40, **reset), number=45, **reset)
    assert numbers(snapshot) == (35, 35, 35, 25)
    assert only(snapshot, "statement_window").breaks == ("reset at 2026-01-02 09:00",)
    assert only(snapshot, "window").breaks == ()


@pytest.mark.parametrize(
    "other",
    [
        {"system_identifier": 2},
        {"system_identifier": None},
        {"database_oid": 6},
        {"started_at": NOON - HOUR},
        {"server_reset_at": NOON - HOUR},
    ],
)
def test_a_point_of_another_server_database_or_life_gives_no_window(other: dict[str, Any]) -> None:
    snapshot = look(point(2, 1), statements_reset_at=BOOTED, **other)
    assert_unavailable(snapshot, TABLES, BEGAN_ANEW)
    if "server_reset_at" not in other:
        assert_unavailable(snapshot, STATEMENTS, BEGAN_ANEW)


def test_points_of_this_server_on_both_sides_of_another_are_not_joined() -> None:
    """As when an alias leads to a standby for a while: what lies between the two is not covered."""
    snapshot = look(point(10, 10), point(8, 20), point(5, 1000, system_identifier=2), point(3, 30))
    assert numbers(snapshot) == (80, 80, 80, 80)
    assert only(snapshot, "window").covered_s == 5 * 3600


def test_a_point_after_the_look_is_ignored() -> None:
    assert numbers(look(point(5, 10), point(-1, 10_000))) == (90, 90, 90, 90)
    assert only(look(point(5, 10), point(-1, 10_000)), "window").ended_at == NOON
    assert only(look(point(-1, 10_000), **KNOWN), "window").source == "pg_stat_database"
    assert only(look(point(0, 10), **KNOWN), "window").source == "pg_stat_database"


@pytest.mark.parametrize("missing", sorted(frozenset[str]().union(*MADE_OF.values())))
def test_what_needs_a_missing_section_says_why_and_the_rest_is_there(missing: str) -> None:
    snapshot = look(point(5, 10), without={missing: "it took too long"})
    lost = {name for name, needed in MADE_OF.items() if missing in needed}
    assert lost
    assert_unavailable(snapshot, lost, "it took too long")
    for name in MADE_OF.keys() - lost:
        only(snapshot, name)


def test_a_standby_without_table_statistics_still_has_its_indexes() -> None:
    snapshot = look(point(5, 10), without={"table_statistics": "a standby counts no writes"})
    assert only(snapshot, "index_activity").scans == 90
    assert_unavailable(snapshot, ["table_activity"], "a standby counts no writes")
    assert only(snapshot, "window").hours == 5


@pytest.mark.parametrize("missing", ["table_statistics", "index_statistics", "database_statistics"])
def test_what_a_point_did_not_count_is_not_taken_for_zero(missing: str) -> None:
    partly = Point({**counted(NOON - 5 * HOUR, 10), missing: Unavailable("it took too long")})
    snapshot = look(partly)
    lost = {name for name, needed in MADE_OF.items() if missing in needed}
    assert_unavailable(snapshot, lost, "it took too long")
    for name in MADE_OF.keys() - lost:
        only(snapshot, name)


def test_statements_that_a_point_did_not_count_are_not_taken_for_new() -> None:
    partly = Point({**counted(NOON - 5 * HOUR, 10), "statement_counters": Unavailable("it took too long")})
    assert_unavailable(look(partly), ["statement_activity"], "it took too long")


def test_dropped_statements_make_their_window_a_lower_bound_and_no_other() -> None:
    for snapshot in (look(point(5, 10), deallocations=3), look(deallocations=3, **KNOWN)):
        assert only(snapshot, "statement_window").is_lower_bound
        assert not only(snapshot, "window").is_lower_bound
    assert not only(look(point(5, 10, deallocations=3), deallocations=3), "statement_window").is_lower_bound


def test_what_another_server_counted_twice_is_no_part_of_a_window() -> None:
    """As before an upgrade by dump and restore: its table 1 was another table."""
    other: dict[str, Any] = {"system_identifier": 2}
    snapshot = look(point(10, 10, **other), point(8, 500, **other), point(3, 30))
    assert numbers(snapshot) == (70, 70, 70, 70)
    assert only(snapshot, "window").started_at == NOON - 3 * HOUR
    assert_unavailable(look(point(10, 10, **other), point(8, 500, **other)), TABLES, BEGAN_ANEW)
