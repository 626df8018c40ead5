"""The large schema has the size that was asked for, and faults that the checks find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.benchmark.large_schema import STANDARD, Size, statements
from tests.looking import look

if TYPE_CHECKING:
    from tests.servers import Database


def _make(database: Database, size: Size) -> None:
    for _, statement in statements(size):
        database.execute(statement)


def test_the_standard_size_is_the_one_that_is_promised() -> None:
    assert str(STANDARD) == (
        "10,000 tables with about 40,000 indexes and 10,000 sequences in 500 schemas, 2,000 partitions"
    )
    assert STANDARD.database == "dbops_bench_10000_4_500_2000"


def test_it_has_the_size_that_was_asked_for(database: Database) -> None:
    _make(database, Size(tables=43, indexes_per_table=3, schemas=2, partitions=21))
    kinds = dict(
        database.execute(
            """
            SELECT c.relkind::text || CASE WHEN c.relispartition THEN ' of parts' ELSE '' END, count(*)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname ~ '^(s[0-9]+|parts)$' GROUP BY 1
            """
        )
    )
    assert kinds == {"r": 43, "r of parts": 21, "p": 1, "i": 3 * 43, "i of parts": 21, "I": 1, "S": 43}


def test_progress_counts_every_table_and_partition() -> None:
    size = Size(tables=50, schemas=3, partitions=25)
    done = [made for made, _ in statements(size)]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == size.relations - 5


def test_its_faults_are_found_and_nothing_else_is_wrong(database: Database) -> None:
    _make(database, Size(tables=40, schemas=2, partitions=3))
    expected = {
        "missing_primary_key": ["s0.t7", "s1.t7"],
        "unindexed_foreign_key": ["s0.t9.t9_ref_id_fkey", "s1.t9.t9_ref_id_fkey"],
        "duplicate_index": ["s0.t11_ref_id_idx1", "s1.t11_ref_id_idx1"],
        "unvalidated_constraint": ["s0.t13.t13_ref_id_fkey", "s1.t13.t13_ref_id_fkey"],
        "exhausted_sequence": ["s0.t15_id_seq", "s1.t15_id_seq"],
        "redundant_index": [],
        "lagging_sequence": [],
    }
    assert {check: sorted(look(database, check).targets) for check in expected} == expected
