from __future__ import annotations

from dbops.snapshot.index_cost import IndexCosts
from dbops.snapshot.rows import IndexStatistics, RelationSize
from tests.builders import a_schema, a_table, an_index, statistics_of


def test_hot_updates_write_no_index() -> None:
    index = an_index()
    costs = IndexCosts(a_schema(a_table(), index), [statistics_of(1, inserts=10, updates=7, hot_updates=3)])
    assert costs.evidence(index) == {"writes": 14}


def test_the_writes_of_a_partial_or_unfinished_index_are_not_known() -> None:
    for index in (an_index(is_partial=True), an_index(is_ready=False), an_index(is_live=False)):
        costs = IndexCosts(a_schema(a_table(), index), [statistics_of(1, inserts=10)])
        assert costs.evidence(index) == {}


def test_the_parts_of_a_partitioned_index_are_added() -> None:
    whole = an_index(kind="I")
    parts = [an_index(oid, f"part{oid}", table_oid=oid, parent_oid=100) for oid in (2, 3)]
    tables = [a_table(oid, f"p{oid}", is_partition=True, parent_oid=1) for oid in (2, 3)]
    sizes = [RelationSize(oid=2, size_bytes=8), RelationSize(oid=3, size_bytes=16)]
    schema = a_schema(a_table(kind="p"), whole, *parts, *tables, *sizes)
    scans = [IndexStatistics(oid=2, scans=1), IndexStatistics(oid=3, scans=2)]
    costs = IndexCosts(schema, [statistics_of(2, inserts=10), statistics_of(3, inserts=20)], scans)
    assert costs.evidence(whole) == {"size_bytes": 24, "writes": 30, "scans": 3}


def test_a_sum_of_which_a_part_is_missing_is_not_known() -> None:
    whole = an_index(kind="I")
    parts = [an_index(oid, f"part{oid}", table_oid=oid, parent_oid=100) for oid in (2, 3)]
    tables = [a_table(oid, f"p{oid}", is_partition=True, parent_oid=1) for oid in (2, 3)]
    schema = a_schema(a_table(kind="p"), whole, *parts, *tables)
    costs = IndexCosts(schema, [statistics_of(2, inserts=10)], [IndexStatistics(oid=2, scans=1)])
    assert costs.evidence(whole) == {}


def test_without_statistics_nothing_is_guessed() -> None:
    index = an_index()
    assert IndexCosts(a_schema(a_table(), index)).evidence(index) == {}


def test_entries_per_scan_are_those_of_all_parts_or_not_known() -> None:
    whole = an_index(kind="I")
    parts = [an_index(oid, f"part{oid}", table_oid=oid, parent_oid=100) for oid in (2, 3)]
    schema = a_schema(a_table(kind="p"), whole, *parts)
    scans = [IndexStatistics(oid=2, scans=1, entries_read=50), IndexStatistics(oid=3, scans=3, entries_read=10)]
    assert IndexCosts(schema, None, scans).entries_per_scan(whole) == 15
    assert IndexCosts(schema, None, scans[:1]).entries_per_scan(whole) is None
    never = [IndexStatistics(oid=oid, scans=0, entries_read=0) for oid in (2, 3)]
    assert IndexCosts(schema, None, never).entries_per_scan(whole) is None
    assert IndexCosts(schema).entries_per_scan(whole) is None
