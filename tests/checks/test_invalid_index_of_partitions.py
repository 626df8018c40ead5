"""On partitioned tables an index is made of parts: what is missing is built, what is broken rebuilt, and attached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dbops.findings.finding import Kind
from dbops.findings.report import Outcome
from tests.looking import apply, look

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "invalid_index"
MARK = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass"
PARTITIONED = """
    CREATE TABLE log (id int, at int, tag text) PARTITION BY RANGE (id);
    CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10);
    CREATE TABLE log_2 (tag text, at int, id int) PARTITION BY RANGE (id);
    ALTER TABLE log ATTACH PARTITION log_2 FOR VALUES FROM (10) TO (99);
    CREATE TABLE log_2a PARTITION OF log_2 FOR VALUES FROM (10) TO (20);
    CREATE TABLE log_2b PARTITION OF log_2 FOR VALUES FROM (20) TO (30);
"""


@pytest.mark.parametrize(
    "statements",
    [
        'CREATE INDEX "w ON ONLY log" ON ONLY log (at DESC, lower(tag)) INCLUDE (id) WHERE at > 0',
        "CREATE UNIQUE INDEX w ON ONLY log (id, at) NULLS NOT DISTINCT",
        "ALTER TABLE ONLY log ADD CONSTRAINT w UNIQUE (id, at)",
        "ALTER TABLE ONLY log ADD CONSTRAINT w UNIQUE (id, at) DEFERRABLE INITIALLY DEFERRED",
        "ALTER TABLE log ALTER id SET NOT NULL; ALTER TABLE ONLY log ADD CONSTRAINT w PRIMARY KEY (id)",
        "CREATE INDEX w ON ONLY log (at); CREATE INDEX w_1 ON log_1 (at); ALTER INDEX w ATTACH PARTITION w_1",
        "CREATE INDEX w ON ONLY log (at); CREATE INDEX w_1 ON log_1 (at); CREATE INDEX w_2 ON log_2 (at)",
        "CREATE INDEX w ON ONLY log (at); CREATE INDEX w_2 ON ONLY log_2 (at); ALTER INDEX w ATTACH PARTITION w_2",
        "CREATE INDEX w ON ONLY log (at); CREATE INDEX w_2 ON ONLY log_2 (at)",
    ],
)
def test_a_partitioned_index_gets_the_parts_it_lacks(database: Database, statements: str) -> None:
    database.execute(PARTITIONED)
    database.execute(statements)
    seen = look(database, CHECK)
    assert seen.targets
    (found,) = (one for one in seen.findings if one.target.kind is Kind.INDEX)
    assert "It is incomplete" in found.message
    before = parts(database)
    apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    assert look(database, "duplicate_index").targets == []
    assert before <= parts(database)


def parts(database: Database) -> set[str]:
    return {name for (name,) in database.execute("SELECT indexrelid::regclass::text FROM pg_index")}


def test_an_invalid_part_is_rebuilt_and_the_whole_looks_again(database: Database) -> None:
    database.execute(PARTITIONED)
    database.execute("CREATE INDEX w ON log (at)")
    for name in ("w", "log_2_at_idx", "log_2b_at_idx"):
        database.execute(MARK, name)
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.w"
    assert found.message == "1 part of it is invalid, and no query can use that: public.log_2_at_idx."
    apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK


def test_a_whole_that_missed_that_all_parts_are_valid_is_told(database: Database) -> None:
    database.execute(PARTITIONED)
    database.execute("CREATE INDEX w ON log (at)")
    database.execute(MARK, "w")
    (found,) = look(database, CHECK).findings
    assert "All its parts are valid" in found.message
    apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK


def test_an_invalid_index_of_a_partition_that_fits_becomes_its_part(database: Database) -> None:
    database.execute(PARTITIONED)
    database.execute("CREATE INDEX w ON ONLY log (at); CREATE INDEX w_1 ON log_1 (at)")
    database.execute(MARK, "w_1")
    seen = look(database, CHECK)
    assert seen.targets == ["public.w", "public.log"]
    assert seen.findings[1].rolled_up == ("public.w_1",)
    apply(database, seen.findings[0].fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    assert database.execute("SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = 'w_1'::regclass") == [
        ("w",)
    ]


def test_one_whose_partitions_are_all_gone_is_made_again(database: Database) -> None:
    database.execute(PARTITIONED)
    database.execute("CREATE INDEX w ON ONLY log (at); DROP TABLE log_1, log_2")
    (found,) = look(database, CHECK).findings
    apply(database, found.fix)
    assert look(database, CHECK).result.outcome is Outcome.OK
    assert database.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'w'::regclass") == [(True,)]
