"""On partitioned tables a key wants one index of the whole, or one on every partition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dbops.findings.finding import Kind, Target
from dbops.findings.report import Outcome
from tests.looking import apply, look, undo

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "unindexed_foreign_key"
PARTITIONED = """
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE log (id int, p int REFERENCES parent, at int) PARTITION BY RANGE (id);
    CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10);
    CREATE TABLE log_2 (p int, extra int, at int, id int) PARTITION BY RANGE (id);
    ALTER TABLE log_2 DROP extra;
    ALTER TABLE log ATTACH PARTITION log_2 FOR VALUES FROM (10) TO (99);
    CREATE TABLE "log 2a" PARTITION OF log_2 FOR VALUES FROM (10) TO (20);
"""


@pytest.mark.parametrize(
    "more",
    [
        "SELECT",
        "CREATE INDEX log_1_p_idx ON log_1 (p)",
        "CREATE INDEX log_2_p_idx ON log_2 (p)",
        "CREATE INDEX log_1_p_idx ON log_1 (p, at)",
        "CREATE INDEX whole ON ONLY log (p); CREATE INDEX part ON log_2 (p); ALTER INDEX whole ATTACH PARTITION part",
    ],
)
def test_a_partitioned_table_gets_one_index_with_all_its_parts(database: Database, more: str) -> None:
    database.execute(PARTITIONED)
    database.execute(more)
    seen = look(database, CHECK)
    assert seen.targets == ["public.log.log_p_fkey"]
    fix = seen.findings[0].fix
    apply(database, fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    assert look(database, "invalid_index").result.outcome is Outcome.OK
    database.execute("CREATE TABLE log_3 PARTITION OF log FOR VALUES FROM (100) TO (200)")
    assert look(database, CHECK).result.outcome is Outcome.OK


@pytest.mark.parametrize("more", ["CREATE INDEX log_1_p_idx ON log_1 (p)", "CREATE INDEX log_2_p_idx ON log_2 (p)"])
def test_undoing_brings_back_the_index_that_a_partition_had(database: Database, more: str) -> None:
    database.execute(PARTITIONED)
    database.execute(more)
    indexes = "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid::regclass::text ~ 'log' ORDER BY 1"
    before = database.execute(indexes)
    fix = look(database, CHECK).findings[0].fix
    apply(database, fix)
    undo(database, fix)
    assert look(database, CHECK).targets == ["public.log.log_p_fkey"]
    assert database.execute(indexes) == before


@pytest.mark.parametrize(
    "more",
    [
        "CREATE INDEX ON log (p)",
        "CREATE INDEX ON log_1 (p); CREATE INDEX ON log_2 (p, at)",
        'CREATE INDEX ON log_1 USING hash (p); CREATE INDEX ON "log 2a" (p) WHERE p IS NOT NULL',
        'CREATE INDEX w ON ONLY log (p); CREATE INDEX ON log_1 (p); CREATE INDEX ON "log 2a" (p)',
    ],
)
def test_an_index_on_every_partition_serves_the_whole(database: Database, more: str) -> None:
    database.execute(PARTITIONED)
    database.execute(more)
    assert look(database, CHECK).result.outcome is Outcome.OK


def test_a_partitioned_table_without_partitions_needs_an_index_too(database: Database) -> None:
    database.execute(PARTITIONED)
    database.execute("DROP TABLE log_1, log_2")
    (found,) = look(database, CHECK).findings
    apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK


def test_a_key_to_a_partitioned_table_is_one_finding(database: Database) -> None:
    database.execute("""
        CREATE TABLE parent (id int PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE parent_1 PARTITION OF parent FOR VALUES FROM (0) TO (10);
        CREATE TABLE parent_2 PARTITION OF parent FOR VALUES FROM (10) TO (20);
        CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES parent);
    """)
    seen = look(database, CHECK)
    assert seen.targets == ["public.t.t_p_fkey"]
    apply(database, seen.findings[0].fix)
    assert look(database, CHECK).targets == []


def test_a_partition_s_own_key(database: Database) -> None:
    database.execute(PARTITIONED)
    database.execute("CREATE INDEX ON log (p); ALTER TABLE log_1 ADD FOREIGN KEY (at) REFERENCES parent")
    database.execute('ALTER TABLE "log 2a" ADD FOREIGN KEY (at) REFERENCES parent')
    (found,) = look(database, CHECK).findings
    assert found.target == Target(Kind.CONSTRAINT, "public.log(at)")
    assert found.rolled_up == ('public."log 2a"."log 2a_at_fkey"', "public.log_1.log_1_at_fkey")
    apply(database, found.fix)
    assert look(database, CHECK).targets == []
    undo(database, found.fix)
    assert look(database, CHECK).targets == ["public.log(at)"]
