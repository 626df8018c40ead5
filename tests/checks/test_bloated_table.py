from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.bloated_table import check
from dbops.collect.bloat import NOT_INSTALLED
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.rows import RelationSize
from tests.builders import a_schema, a_table
from tests.checks.mending import assert_mends
from tests.looking import look
from tests.storage_builders import MB, column_statistics_of, hidden_statistics_of, measured, pages_of

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "bloated_table"
#: So many rows of one bigint need 200 MB: 226 to a page.
ROWS = 25_600 * 226
ONE_COLUMN = (column_statistics_of(),)
TOAST = 11


def said(*objects: Any, statistics: Any = ONE_COLUMN, **options: Any) -> list[Finding | Unseen]:
    relations = options.pop("relations", (pages_of(size_bytes=300 * MB, rows=ROWS),))
    schema = a_schema(*(objects or (a_table(),)))
    return list(check(schema, relations, statistics, options.pop("measurements", ()), **options))


def finding(*objects: Any, **options: Any) -> Finding:
    (found,) = said(*objects, **options)
    assert isinstance(found, Finding)
    return found


def seen(oid: int = 1, *, size_mb: int = 300, dead_mb: int = 0, free_mb: int = 0, rows: int = ROWS) -> Any:
    return measured(oid, size_bytes=size_mb * MB, dead_bytes=dead_mb * MB, free_bytes=free_mb * MB, rows=rows)


def test_a_measured_one_is_certain() -> None:
    found = finding(
        a_table(), RelationSize(oid=1, size_bytes=301 * MB), measurements=(seen(free_mb=140, dead_mb=10, rows=1000),)
    )
    assert found.target == Target(Kind.TABLE, "public.task")
    assert (found.severity, found.confidence, found.basis) == (Severity.WARNING, Confidence.HIGH, Basis.MEASURED)
    assert found.evidence["dead_bytes"] == 10 * MB
    assert found.fix is not None
    assert found.fix.sql == ("VACUUM (FULL, ANALYZE) public.task;",)
    assert not found.fix.in_transaction
    assert found.fix.caution == (
        "nobody can read or write public.task while it, 301 MB now, is written anew with its indexes, "
        "and both copies have to fit on the disk; dead rows that an old transaction may still look at stay"
    )
    assert "overdue_vacuum" not in found.message


def test_the_message_has_the_numbers() -> None:
    found = finding(measurements=(seen(free_mb=150),))
    assert found.message == "50% of its 300 MB is wasted: its rows need 150 MB."


def test_an_estimate_alone_says_so() -> None:
    found = finding(measurements=(measured(unseen=NOT_INSTALLED),))
    assert (found.confidence, found.basis) == (Confidence.LOW, Basis.ESTIMATED)
    assert found.message == (
        "By estimate 33% of its 300 MB is wasted, as its rows need 200 MB. "
        "Not measured: the extension pgstattuple is not installed: CREATE EXTENSION pgstattuple."
    )


def test_a_measurement_that_contradicts_the_estimate_silences_it() -> None:
    assert said(measurements=(seen(free_mb=10),)) == []


def test_dead_rows_point_to_overdue_vacuum() -> None:
    found = finding(measurements=(seen(free_mb=10, dead_mb=140),))
    assert found.message.endswith(
        "140 MB of that are dead rows, which VACUUM would make free for new ones: see overdue_vacuum."
    )


def test_what_no_rewrite_gives_back_is_no_waste() -> None:
    """Two rows of 3 kB leave a quarter of each page free, and a fillfactor leaves what it says."""
    pages = 300 * MB // 8192
    assert said(measurements=(seen(free_mb=75, rows=2 * pages),), wasted_ratio=0.2) == []
    assert said(measurements=(seen(free_mb=75, rows=20 * pages),), wasted_ratio=0.2, wasted_bytes=10 * MB) != []
    roomy = (pages_of(size_bytes=300 * MB, rows=ROWS, options=("fillfactor=50",)),)
    assert said(relations=roomy, measurements=(seen(free_mb=150),)) == []
    assert said(relations=roomy) == []


def test_one_without_rows_needs_nothing() -> None:
    found = finding(measurements=(seen(free_mb=299, rows=0),))
    assert found.evidence["wasted_ratio"] == 1.0


def test_a_toast_table_is_told_as_part_of_its_table() -> None:
    toast = pages_of(TOAST, "t", size_bytes=800 * MB, rows=4 * 100 * MB // 8192)
    (found,) = said(relations=(toast,))
    assert isinstance(found, Finding)
    assert found.target.name == "public.task"
    assert found.message.startswith(
        "In its TOAST table: By estimate 88% of its 800 MB is wasted, as its values need 100"
    )
    both = (toast, pages_of(size_bytes=300 * MB, rows=ROWS))
    measurements = (seen(TOAST, size_mb=800, free_mb=400, rows=51_200), seen(free_mb=150, rows=19_200))
    found = finding(relations=both, measurements=measurements)
    assert found.message == (
        "50% of its 300 MB is wasted: its rows need 150 MB. "
        "In its TOAST table: 50% of its 800 MB is wasted: its values need 400 MB."
    )
    assert found.evidence == {"size_bytes": 1100 * MB, "wasted_bytes": 550 * MB, "wasted_ratio": 0.5}


@pytest.mark.parametrize(
    ("relation", "statistics", "reason"),
    [
        (pages_of(size_bytes=300 * MB, rows=None), ONE_COLUMN, "it was never analyzed: ANALYZE it"),
        (pages_of(size_bytes=300 * MB, rows=5), (), "ANALYZE has not seen all of its columns: ANALYZE it"),
        (
            pages_of(size_bytes=300 * MB, rows=5),
            (hidden_statistics_of(),),
            "its planner statistics are hidden from this role: GRANT SELECT on the table to it",
        ),
        (
            pages_of(TOAST, "t", size_bytes=300 * MB, rows=None),
            ONE_COLUMN,
            "its TOAST table: it was never vacuumed: VACUUM it",
        ),
    ],
    ids=["never analyzed", "new column", "hidden", "TOAST never vacuumed"],
)
def test_silence_is_never_health(relation: Any, statistics: Any, reason: str) -> None:
    assert said(relations=(relation,), statistics=statistics) == [Unseen("public.task", reason)]
    small = pages_of(relation.oid, relation.kind, size_bytes=99 * MB, rows=relation.row_estimate)
    assert said(relations=(small,), statistics=statistics) == []


def test_one_that_has_grown_since_it_was_analyzed_is_unseen() -> None:
    reason = "it was never analyzed, or was much smaller then: VACUUM and ANALYZE it"
    assert said(a_table(), RelationSize(oid=1, size_bytes=100 * MB), relations=()) == [Unseen("public.task", reason)]
    assert said(a_table(), RelationSize(oid=1, size_bytes=99 * MB), relations=()) == []
    listed = (pages_of(size_bytes=200 * MB, rows=ROWS),)
    assert said(a_table(), RelationSize(oid=1, size_bytes=350 * MB), relations=listed) == []
    grown = said(a_table(), RelationSize(oid=1, size_bytes=400 * MB), relations=listed)
    assert grown == [Unseen("public.task", reason)]
    (locked,) = said(a_table(), RelationSize(oid=1, size_bytes=None), relations=())
    assert "another session has locked it" in str(locked)


def test_an_extension_s_is_not_reported() -> None:
    assert said(a_table(extension="postgis")) == []


def test_partitions_are_one_finding_of_the_table() -> None:
    parts = [a_table(oid, f"p{oid}", is_partition=True, parent_oid=1) for oid in (2, 3)]
    relations = tuple(pages_of(oid, size_bytes=300 * MB, rows=0, table_oid=oid) for oid in (2, 3))
    sizes = [RelationSize(oid=oid, size_bytes=300 * MB) for oid in (2, 3)]
    found = finding(a_table(kind="p"), *parts, *sizes, relations=relations)
    assert found.target == Target(Kind.TABLE, "public.task")
    assert found.message == "2 partitions of public.task waste 600 MB."
    assert found.rolled_up == ("public.p2", "public.p3")
    assert found.fix is not None
    assert found.fix.sql == ("VACUUM (FULL, ANALYZE) public.p2;", "VACUUM (FULL, ANALYZE) public.p3;")


THRESHOLD: dict[str, Any] = {"wasted_bytes": 10 * MB}


def fill(database: Database, name: str, *, rows: int = 100_000, options: str = "") -> None:
    """A table of 12 MB or more, that autovacuum leaves alone."""
    database.execute(f"CREATE TABLE {name} (id int, text text) WITH (autovacuum_enabled = off{options})")
    database.execute(f"INSERT INTO {name} SELECT i, lpad('', 90, 'x') FROM generate_series(1, {rows}) i")


def test_a_real_one_is_measured_and_written_anew(database: Database) -> None:
    database.execute("CREATE EXTENSION pgstattuple")
    fill(database, '"Half Empty"', rows=200_000)
    database.execute('DELETE FROM "Half Empty" WHERE id % 5 <> 0')
    fill(database, "steady")
    fill(database, "roomy", options=", fillfactor = 40")
    database.execute("VACUUM ANALYZE")
    (found,) = look(database, CHECK, **THRESHOLD).findings
    assert found.target.name == 'public."Half Empty"'
    assert (found.basis, found.confidence) == (Basis.MEASURED, Confidence.HIGH)
    assert found.evidence["wasted_ratio"] == pytest.approx(0.8, abs=0.05)
    assert_mends(database, CHECK, found, can_undo=False, **THRESHOLD)
    assert look(database, CHECK, **THRESHOLD).result.outcome is Outcome.OK


def test_dead_rows_that_were_not_vacuumed_are_measured(database: Database) -> None:
    database.execute("CREATE EXTENSION pgstattuple")
    fill(database, "emptied", rows=200_000)
    database.execute("DELETE FROM emptied WHERE id % 5 <> 0")
    database.execute("ANALYZE emptied")
    (found,) = look(database, CHECK, **THRESHOLD).findings
    assert found.message.endswith("see overdue_vacuum.")
    assert found.evidence["dead_bytes"] > 10 * MB  # type: ignore[operator]
    assert_mends(database, CHECK, found, can_undo=False, **THRESHOLD)


def test_rows_that_are_large_leave_room_that_is_no_waste(database: Database) -> None:
    database.execute("CREATE TABLE large (id int, text text)")
    database.execute("ALTER TABLE large ALTER COLUMN text SET STORAGE PLAIN")
    database.execute("INSERT INTO large SELECT i, repeat('x', 2900) FROM generate_series(1, 8000) i")
    database.execute("VACUUM ANALYZE large")
    thresholds = {**THRESHOLD, "wasted_ratio": 0.15, "wasted_bytes": MB}
    assert look(database, CHECK, **thresholds).findings == []
    # Estimated as bloated, as the widths are wrong; measured as full.
    database.execute("CREATE EXTENSION pgstattuple")
    database.execute("UPDATE pg_class SET reltuples = 1000 WHERE relname = 'large'")
    assert look(database, CHECK, **thresholds).findings == []


def test_a_real_toast_table(database: Database) -> None:
    database.execute("CREATE EXTENSION pgstattuple")
    database.execute("CREATE TABLE document (id int, body text) WITH (autovacuum_enabled = off)")
    database.execute("ALTER TABLE document ALTER COLUMN body SET STORAGE EXTERNAL")
    database.execute("INSERT INTO document SELECT i, repeat('x', 8000) FROM generate_series(1, 3000) i")
    database.execute("VACUUM ANALYZE document")
    assert look(database, CHECK, **THRESHOLD).result.outcome is Outcome.OK
    database.execute("DELETE FROM document WHERE id % 5 <> 0")
    database.execute("VACUUM ANALYZE document")
    (found,) = look(database, CHECK, **THRESHOLD).findings
    assert found.message.startswith("In its TOAST table: ")
    assert found.basis is Basis.MEASURED
    assert found.evidence["wasted_ratio"] == pytest.approx(0.8, abs=0.1)
    assert_mends(database, CHECK, found, can_undo=False, **THRESHOLD)


def test_real_partitions(database: Database) -> None:
    database.execute("CREATE TABLE event (id int, text text) PARTITION BY RANGE (id)")
    for number in range(2):
        database.execute(f"""
            CREATE TABLE event_{number} PARTITION OF event FOR VALUES FROM ({number * 150_000}) TO
            ({(number + 1) * 150_000}) WITH (autovacuum_enabled = off)
        """)
    database.execute("INSERT INTO event SELECT i, lpad('', 90, 'x') FROM generate_series(1, 299999) i")
    database.execute("DELETE FROM event WHERE id % 5 <> 0")
    database.execute("VACUUM ANALYZE event")
    (found,) = look(database, CHECK, **THRESHOLD).findings
    assert found.target.name == "public.event"
    assert found.basis is Basis.ESTIMATED
    assert found.rolled_up == ("public.event_0", "public.event_1")
    assert_mends(database, CHECK, found, can_undo=False, **THRESHOLD)


def test_a_table_never_analyzed_is_unseen(database: Database) -> None:
    fill(database, "loaded")
    looked = look(database, CHECK, **THRESHOLD)
    assert looked.result.outcome is Outcome.SKIPPED
    assert "never analyzed" in str(looked.result.reason)
