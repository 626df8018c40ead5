"""What is measured, in which order, and that measuring stands in nobody's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.collect import bloat
from dbops.collect.bloat import NOT_ALLOWED, NOT_INSTALLED, measure_bloat
from dbops.collect.session import LookError, Session
from dbops.snapshot.codec import dump, load
from dbops.snapshot.rows import LockedRelation
from tests.builders import a_column, a_table, an_index
from tests.looking import snapshot_of
from tests.setting_builders import a_server
from tests.storage_builders import MB, column_statistics_of, hidden_statistics_of, pages_of

if TYPE_CHECKING:
    from dbops.snapshot.storage_rows import BloatMeasurement
    from tests.servers import Database


def measurements(database: Database, role: str | None = None) -> dict[str, BloatMeasurement]:
    """What was measured, by the relation's name."""
    snapshot = snapshot_of(database, role=role)
    section = snapshot.section("bloat_measurements")
    assert isinstance(section, tuple)
    names = dict(database.execute("SELECT oid::bigint, relname::text FROM pg_class"))
    return {names[row.oid]: row for row in section}


def leave_a_tenth(database: Database, name: str, rows: int) -> None:
    database.execute(f"CREATE TABLE {name} (id int, key text) WITH (autovacuum_enabled = off)")
    database.execute(f"INSERT INTO {name} SELECT i, lpad(i::text, 100, '0') FROM generate_series(1, {rows}) i")
    database.execute(f"CREATE INDEX {name}_key ON {name} (key)")
    database.execute(f"DELETE FROM {name} WHERE id % 10 <> 0")
    database.execute(f"VACUUM ANALYZE {name}")


def test_what_seems_bloated_is_measured_table_and_index(database: Database) -> None:
    leave_a_tenth(database, "large", 200_000)
    leave_a_tenth(database, "small", 50_000)
    assert {row.unseen for row in measurements(database).values()} == {NOT_INSTALLED}
    database.execute('CREATE SCHEMA "Odd ""name"; CREATE EXTENSION pgstattuple SCHEMA "Odd ""name"')
    found = measurements(database)
    assert set(found) == {"large", "large_key"}
    snapshot = snapshot_of(database)
    again = load(dump(snapshot))
    for section in ("relation_pages", "column_statistics", "bloat_measurements"):
        assert snapshot.section(section) == again.section(section) != ()
    for name, row in found.items():
        (size_bytes,) = database.execute("SELECT pg_relation_size(%s::regclass)", name)[0]
        assert (row.size_bytes, row.unseen) == (size_bytes, None)
        assert row.free_bytes == pytest.approx(0.9 * size_bytes, rel=0.1)
    assert found["large"].rows == 20_000
    assert found["large_key"].rows is None
    bare = database.create_role(f"{database.name}_bare")
    database.execute(f'GRANT SELECT ON large TO {bare}; GRANT USAGE ON SCHEMA "Odd ""name" TO {bare}')
    assert {row.unseen for row in measurements(database, bare).values()} == {NOT_ALLOWED}
    database.execute(f"GRANT pg_stat_scan_tables TO {bare}")
    assert measurements(database, bare) == found


def test_a_function_of_that_name_that_is_not_the_extension_s_is_never_called(database: Database) -> None:
    leave_a_tenth(database, "large", 200_000)
    database.execute("""
        CREATE FUNCTION public.pgstatindex(regclass) RETURNS int LANGUAGE sql AS 'SELECT 1/0';
        CREATE FUNCTION public.pgstattuple_approx(regclass) RETURNS int LANGUAGE sql AS 'SELECT 1/0'
    """)
    assert {row.unseen for row in measurements(database).values()} == {NOT_INSTALLED}


def test_what_is_locked_is_left_and_the_rest_measured(database: Database) -> None:
    database.execute("CREATE EXTENSION pgstattuple")
    leave_a_tenth(database, "held", 150_000)
    leave_a_tenth(database, "loose", 150_000)
    holder = database.connect(autocommit=False)
    holder.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
    found = measurements(database)
    holder.rollback()
    reasons = {name: row.unseen for name, row in found.items()}
    locked = "locked by another session"
    assert reasons == {"held": locked, "held_key": locked, "loose": None, "loose_key": None}


def test_a_lock_taken_since_costs_that_relation_alone(database: Database) -> None:
    database.execute("CREATE EXTENSION pgstattuple")
    leave_a_tenth(database, "held", 150_000)
    leave_a_tenth(database, "loose", 150_000)
    sections = snapshot_of(database).sections
    holder = database.connect(autocommit=False)
    holder.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
    found = measure_bloat(Session(database.connect(), psycopg.Error), sections)
    holder.rollback()
    (held,) = database.execute("SELECT 'held'::regclass::oid::bigint")[0]
    # An index is read under its own lock.
    assert {row.oid for row in found if row.unseen == "locked by another session"} == {held}
    assert len(found) == 4


def test_no_horizon_is_held_between_two_measurements(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.execute("CREATE EXTENSION pgstattuple")
    leave_a_tenth(database, "one", 150_000)
    sections = snapshot_of(database).sections
    watched = database.connect()
    pid = watched.info.backend_pid
    states: list[Any] = []

    def watch(*arguments: Any) -> str | None:
        states.extend(database.execute("SELECT state, backend_xmin FROM pg_stat_activity WHERE pid = %s", pid))
        return original(*arguments)

    original = bloat._obstacle
    monkeypatch.setattr(bloat, "_obstacle", watch)
    measure_bloat(Session(watched, psycopg.Error), sections)
    assert states == [("idle", None)] * 2


def test_a_transaction_may_have_a_time_limit_of_its_own(database: Database) -> None:
    session = Session(database.connect(), psycopg.Error)
    with session.transaction(statement_timeout_ms=20), pytest.raises(LookError) as caught:
        session.read("SELECT pg_sleep(5)")
    assert caught.value.sqlstate == "57014"
    with session.transaction():
        assert session.read("SELECT pg_sleep(0.05)::text AS slept") == [{"slept": ""}]


def candidates(*relations: Any, statistics: Any, **options: Any) -> list[int]:
    seen = {
        "server": a_server(),
        "tables": (a_table(), a_table(2, "extension_s", extension="postgis")),
        "columns": (a_column(),),
        "indexes": (an_index(), an_index(101, "half", is_valid=False), an_index(102, "more")),
        "constraints": (),
        "relation_pages": relations,
        "column_statistics": statistics,
        **options,
    }
    return [relation.oid for relation in bloat._candidates(seen)]


def test_the_most_wasteful_come_first_and_then_the_largest_of_the_unknown() -> None:
    index = pages_of(100, "i", size_bytes=200 * MB, rows=0)
    other = pages_of(102, "i", size_bytes=300 * MB, rows=0)
    never_analyzed = pages_of(size_bytes=900 * MB, rows=None)
    statistics = (column_statistics_of(),)
    assert candidates(index, never_analyzed, other, statistics=statistics) == [102, 100, 1]


def test_what_is_little_bloated_or_not_ours_is_not_measured() -> None:
    statistics = (column_statistics_of(),)
    full = pages_of(size_bytes=100 * MB, rows=100 * MB // 8192 * 226 * 9 // 10)
    small = pages_of(100, "i", size_bytes=9 * MB, rows=0)
    broken = pages_of(101, "i", size_bytes=200 * MB, rows=0)
    foreign = pages_of(2, size_bytes=200 * MB, rows=0, table_oid=2)
    assert candidates(full, small, broken, foreign, statistics=statistics) == []
    unknown = pages_of(size_bytes=99 * MB, rows=5)
    assert candidates(unknown, statistics=(hidden_statistics_of(),)) == []


def test_what_would_have_to_be_read_is_bounded() -> None:
    functions = {name: {"is_allowed": True} for name in ("pgstatindex", "pgstattuple_approx")}
    huge = 5 * 1024 * MB
    reason = "more than 4 GB of it would have to be read"
    assert bloat._obstacle(pages_of(100, "i", size_bytes=huge), functions, set()) == reason
    assert bloat._obstacle(pages_of(size_bytes=huge, unsettled_pages=huge // 8192), functions, set()) == reason
    assert bloat._obstacle(pages_of(size_bytes=huge, unsettled_pages=9), functions, set()) is None


def test_only_so_many_are_measured(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.execute("CREATE EXTENSION pgstattuple")
    leave_a_tenth(database, "one", 150_000)
    monkeypatch.setattr(bloat, "_MOST", 1)
    reasons = [row.unseen for row in measurements(database).values()]
    assert reasons == [None, "a look measures 1 relation at most, the worst first"]


def test_what_cannot_be_measured_takes_nobodys_place(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.execute("CREATE EXTENSION pgstattuple")
    leave_a_tenth(database, "one", 200_000)
    leave_a_tenth(database, "two", 150_000)
    monkeypatch.setattr(bloat, "_MOST", 2)
    (oid,) = database.execute("SELECT 'one'::regclass::oid::bigint")[0]
    locked = (LockedRelation(oid=oid, schema="public", name="one"),)
    found = measure_bloat(
        Session(database.connect(), psycopg.Error), {**snapshot_of(database).sections, "locked_relations": locked}
    )
    names = dict(database.execute("SELECT oid::bigint, relname::text FROM pg_class"))
    assert {names[row.oid] for row in found if row.unseen is None} == {"two", "two_key"}


def test_the_time_that_is_spent_is_told_apart_from_the_number(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute("CREATE EXTENSION pgstattuple")
    leave_a_tenth(database, "one", 150_000)
    monkeypatch.setattr(bloat, "_BUDGET_S", 0)
    assert {row.unseen for row in measurements(database).values()} == {"this look had no time left after 0 others"}


def test_a_connection_that_is_lost_leaves_the_rest_unmeasured(database: Database) -> None:
    leave_a_tenth(database, "one", 150_000)
    sections = snapshot_of(database).sections
    lost = database.connect()
    database.execute("SELECT pg_terminate_backend(%s, 5000)", lost.info.backend_pid)
    found = measure_bloat(Session(lost, psycopg.Error), sections)
    assert len(found) == 2
    assert all("connection" in str(row.unseen) for row in found)
