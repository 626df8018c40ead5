from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.bloated_index import check
from dbops.collect import bloat
from dbops.collect.bloat import NOT_ALLOWED, NOT_INSTALLED
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.rows import RelationSize
from tests.builders import a_column, a_schema, a_table, an_index
from tests.checks.mending import assert_mends
from tests.looking import look
from tests.storage_builders import MB, column_statistics_of, hidden_statistics_of, measured, pages_of

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "bloated_index"
#: So many bigints need 200 MB at the default fillfactor.
ROWS = 9_360_000
UNIQUE = (column_statistics_of(),)


def said(
    *objects: Any, index: Any = None, size_bytes: int = 300 * MB, statistics: Any = UNIQUE, **options: Any
) -> list[Finding | Unseen]:
    relations = options.pop("relations", (pages_of(100, "i", size_bytes=size_bytes, rows=ROWS),))
    schema = a_schema(a_table(), a_column(1), index or an_index(), *objects)
    return list(check(schema, relations, statistics, options.pop("measurements", ()), **options))


def finding(**options: Any) -> Finding:
    (found,) = said(**options)
    assert isinstance(found, Finding)
    return found


def free(free_mb: int, size_mb: int = 300) -> Any:
    return (measured(100, size_bytes=size_mb * MB, dead_bytes=0, free_bytes=free_mb * MB),)


def test_a_measured_one_is_certain() -> None:
    found = finding(measurements=free(165))
    assert found.target == Target(Kind.INDEX, "public.task_idx")
    assert (found.severity, found.confidence, found.basis) == (Severity.WARNING, Confidence.HIGH, Basis.MEASURED)
    assert found.message == "50% of its 300 MB is wasted: its entries need 150 MB."
    assert found.evidence == {"size_bytes": 300 * MB, "wasted_bytes": 150 * MB, "wasted_ratio": 0.5}
    assert found.fix is not None
    assert found.fix.sql == ("REINDEX INDEX CONCURRENTLY public.task_idx;",)
    assert not found.fix.in_transaction
    assert found.fix.caution == (
        "needs 150 MB of free disk for the new index, and reads public.task twice while writes go on"
    )
    assert found.location is not None
    assert (found.location.table_oid, found.location.columns, found.location.index) == (1, ("id",), "task_idx")


def test_an_estimate_alone_says_so() -> None:
    found = finding(measurements=(measured(100, unseen=NOT_INSTALLED),))
    assert (found.confidence, found.basis) == (Confidence.LOW, Basis.ESTIMATED)
    assert found.message == (
        "By estimate 33% of its 300 MB is wasted, as its entries need 200 MB. "
        "Not measured: the extension pgstattuple is not installed: CREATE EXTENSION pgstattuple."
    )
    assert found.evidence["unmeasured"] == NOT_INSTALLED
    assert finding(measurements=None).evidence["unmeasured"] == "measuring was not part of this look"


def test_a_measurement_that_contradicts_the_estimate_silences_it() -> None:
    assert said(measurements=free(60)) == []


@pytest.mark.parametrize(
    ("size_mb", "free_mb", "options", "is_found"),
    [
        (200, 110, {}, True),
        (199, 109, {}, False),
        (1000, 361, {}, False),
        (1000, 371, {}, True),
        (100, 60, {"wasted_bytes": 50 * MB}, True),
        (100, 60, {"wasted_bytes": 50 * MB, "wasted_ratio": 0.6}, False),
    ],
)
def test_the_thresholds(size_mb: int, free_mb: int, options: dict[str, Any], is_found: bool) -> None:
    found = said(size_bytes=size_mb * MB, measurements=free(free_mb, size_mb), **options)
    assert bool(found) is is_found


def test_the_fillfactor_is_no_waste() -> None:
    half = (pages_of(100, "i", size_bytes=300 * MB, rows=ROWS, options=("fillfactor=50",)),)
    assert said(relations=half, measurements=free(150)) == []
    assert said(relations=half) == []


def test_equal_keys_are_reckoned_once() -> None:
    few = (column_statistics_of(distinct_values=100.0),)
    assert finding(size_bytes=200 * MB, statistics=few).evidence["wasted_bytes"] > 130 * MB  # type: ignore[operator]
    assert said(size_bytes=200 * MB) == []


@pytest.mark.parametrize(
    ("statistics", "reason"),
    [
        (
            (hidden_statistics_of(),),
            "its planner statistics are hidden from this role: GRANT SELECT on the table to it",
        ),
        ((), "ANALYZE has not seen all of its columns: ANALYZE it"),
    ],
)
def test_what_cannot_be_estimated_nor_was_measured_is_unseen(statistics: Any, reason: str) -> None:
    assert said(statistics=statistics) == [Unseen("public.task_idx", reason)]
    unmeasured = said(statistics=statistics, measurements=(measured(100, unseen=NOT_ALLOWED),))
    assert unmeasured == [Unseen("public.task_idx", f"{reason}; and it was not measured: {NOT_ALLOWED}")]


def test_what_cannot_be_estimated_is_found_when_it_was_measured() -> None:
    assert finding(statistics=(hidden_statistics_of(),), measurements=free(165)).confidence is Confidence.HIGH


def test_one_that_has_grown_since_it_was_analyzed_is_unseen() -> None:
    (unseen,) = said(RelationSize(oid=100, size_bytes=100 * MB), relations=())
    assert unseen == Unseen("public.task_idx", "it was never analyzed, or was much smaller then: VACUUM and ANALYZE it")
    assert said(RelationSize(oid=100, size_bytes=99 * MB), relations=()) == []
    (locked,) = said(RelationSize(oid=100, size_bytes=None), relations=())
    assert "another session has locked it" in str(locked)


@pytest.mark.parametrize(
    "index",
    [an_index(is_valid=False), an_index(method="gin"), an_index(kind="I")],
    ids=["invalid", "another method", "partitioned"],
)
def test_others_are_not_judged(index: Any) -> None:
    assert said(index=index, measurements=free(165)) == []


def test_an_extension_s_is_not_reported() -> None:
    schema = a_schema(a_table(extension="postgis"), an_index())
    assert list(check(schema, (pages_of(100, "i", size_bytes=300 * MB, rows=ROWS),), UNIQUE, free(165))) == []


def test_those_on_partitions_are_one_finding_of_the_table() -> None:
    parts = [a_table(oid, f"p{oid}", is_partition=True, parent_oid=1) for oid in (2, 3)]
    indexes = [an_index(oid * 10, f"p{oid}_idx", table_oid=oid, parent_oid=100) for oid in (2, 3)]
    relations = [pages_of(oid * 10, "i", size_bytes=300 * MB, rows=0) for oid in (2, 3)]
    schema = a_schema(a_table(kind="p"), *parts, an_index(kind="I"), *indexes)
    measurements = tuple(measured(oid * 10, size_bytes=300 * MB, dead_bytes=0, free_bytes=165 * MB) for oid in (2, 3))
    (found,) = list(check(schema, tuple(relations), (), measurements))
    assert isinstance(found, Finding)
    assert found.target == Target(Kind.TABLE, "public.task")
    assert found.message == "2 indexes of public.task's partitions waste 300 MB."
    assert found.evidence == {"size_bytes": 600 * MB, "wasted_bytes": 300 * MB}
    assert found.rolled_up == ("public.p2_idx", "public.p3_idx")
    assert found.fix is not None
    assert len(found.fix.sql) == 2


THRESHOLD: dict[str, Any] = {"wasted_bytes": 10 * MB}


def bloat_an_index(database: Database) -> None:
    """Index `sparse`, of which a tenth is left, beside others of a table that are as they should be."""
    database.execute("CREATE TABLE queue (id int, key text) WITH (autovacuum_enabled = off)")
    database.execute("INSERT INTO queue SELECT i, lpad(i::text, 80, '0') FROM generate_series(1, 200000) i")
    database.execute("CREATE INDEX sparse ON queue (key)")
    database.execute("DELETE FROM queue WHERE id % 10 <> 0")
    database.execute("VACUUM ANALYZE queue")


def test_a_real_one_is_measured_and_rebuilt(database: Database) -> None:
    database.execute("CREATE EXTENSION pgstattuple")
    bloat_an_index(database)
    database.execute("CREATE TABLE steady (key text)")
    database.execute("INSERT INTO steady SELECT lpad(i::text, 80, '0') FROM generate_series(1, 100000) i")
    database.execute("CREATE INDEX full_one ON steady (key)")
    database.execute("CREATE INDEX roomy ON steady (key) WITH (fillfactor = 40)")
    database.execute("VACUUM ANALYZE steady")
    (found,) = look(database, CHECK, **THRESHOLD).findings
    assert found.target.name == "public.sparse"
    assert (found.basis, found.confidence) == (Basis.MEASURED, Confidence.HIGH)
    assert found.evidence["wasted_ratio"] > 0.8  # type: ignore[operator]
    assert_mends(database, CHECK, found, can_undo=False, **THRESHOLD)
    assert look(database, CHECK, **THRESHOLD).result.outcome is Outcome.OK


def test_a_real_estimate_that_is_wrong_is_silenced_by_measuring(database: Database) -> None:
    database.execute("CREATE TABLE steady (key text)")
    database.execute("INSERT INTO steady SELECT lpad(i::text, 80, '0') FROM generate_series(1, 200000) i")
    database.execute("CREATE INDEX full_one ON steady (key)")
    database.execute("VACUUM ANALYZE steady")
    database.execute("UPDATE pg_class SET reltuples = 1000 WHERE relname = 'full_one'")
    (found,) = look(database, CHECK, **THRESHOLD).findings
    assert (found.basis, found.confidence) == (Basis.ESTIMATED, Confidence.LOW)
    assert found.evidence["unmeasured"] == NOT_INSTALLED
    database.execute("CREATE SCHEMA elsewhere")
    database.execute("CREATE EXTENSION pgstattuple SCHEMA elsewhere")
    assert look(database, CHECK, **THRESHOLD).result.outcome is Outcome.OK


def test_what_a_role_may_see_and_measure(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.execute("CREATE EXTENSION pgstattuple")
    bloat_an_index(database)
    bare = database.create_role(f"{database.name}_bare")
    reader = database.create_role(f"{database.name}_reader")
    database.execute(f"GRANT SELECT ON queue TO {reader}")
    monitor = database.create_role(f"{database.name}_monitor", pg_monitor=True)
    looked = look(database, CHECK, role=bare, **THRESHOLD)
    assert (looked.findings, looked.result.outcome) == ([], Outcome.SKIPPED)
    assert "hidden from this role" in str(looked.result.reason)
    (estimated,) = look(database, CHECK, role=reader, **THRESHOLD).findings
    assert estimated.evidence["unmeasured"] == NOT_ALLOWED
    assert estimated.basis is Basis.ESTIMATED
    monkeypatch.setattr(bloat, "_UNKNOWN_BYTES", 10 * MB)
    (blind,) = look(database, CHECK, role=monitor, **THRESHOLD).findings
    assert blind.basis is Basis.MEASURED
    database.execute("ALTER TABLE queue ENABLE ROW LEVEL SECURITY")
    assert look(database, CHECK, role=reader, **THRESHOLD).result.outcome is Outcome.SKIPPED
