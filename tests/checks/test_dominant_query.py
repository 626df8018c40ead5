from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.dominant_query import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from tests.activity_builders import a_statement, a_tracking, a_window
from tests.looking import snapshot_of
from tests.windows import Before, look_over

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "dominant_query"
GB = 1024**3
#: A window of ten hours; 5 % of one core are 1,800 seconds of it.
WINDOW = a_window(10)
LOAD_MS = 1_800_000.0


def said(*statements: Any, window: Any = WINDOW, tracking: Any = None, **options: Any) -> list[Finding | Unseen]:
    return list(check(statements, window, tracking, **options))


def finding(*statements: Any, **options: Any) -> Finding:
    (found,) = said(*statements, **options)
    assert isinstance(found, Finding)
    return found


def heavy(**values: Any) -> Any:
    return a_statement(**{"calls": 10_000, "total_ms": LOAD_MS, **values})


def others(**values: Any) -> Any:
    """What makes up the rest, and is no query itself."""
    return a_statement(2, **{"text": "COPY task FROM STDIN", **values})


def test_a_tenth_of_the_time_is_mentioned() -> None:
    found = finding(heavy(), others(total_ms=9 * LOAD_MS))
    assert found.target == Target(Kind.QUERY, "1")
    assert (found.severity, found.confidence, found.basis) == (Severity.INFO, Confidence.HIGH, Basis.MEASURED)
    assert found.message == (
        "10% of execution time: 1,800 s in 10,000 executions, 180.0 ms each: SELECT * FROM task WHERE user_id = $1"
    )
    assert found.evidence["share_ratio"] == 0.1
    assert said(heavy(), others(total_ms=9.1 * LOAD_MS)) == []


def test_a_third_of_a_large_load_is_a_warning_and_never_more() -> None:
    large = heavy(total_ms=5 * LOAD_MS)
    assert finding(large, others(total_ms=10 * LOAD_MS)).severity is Severity.WARNING
    assert finding(large, others(total_ms=11 * LOAD_MS)).severity is Severity.INFO
    assert finding(heavy(total_ms=4.9 * LOAD_MS)).severity is Severity.INFO
    assert finding(heavy(total_ms=100 * LOAD_MS)).severity is Severity.WARNING


def test_silent_where_there_is_no_load() -> None:
    assert said(heavy(total_ms=LOAD_MS - 1)) == []
    assert said(a_statement()) == []
    assert said() == []


def test_silent_about_a_cheap_query_however_hot() -> None:
    assert said(heavy(calls=1_800_001, total_ms=LOAD_MS)) == []
    finding(heavy(calls=1_800_000, total_ms=LOAD_MS))
    # By key, a thousand times a second.
    assert said(heavy(calls=100_000_000, total_ms=5_000_000.0, shared_blocks_hit=400_000_000)) == []
    # Rows that are written one by one.
    text = "INSERT INTO event VALUES ($1)"
    assert said(heavy(text=text, calls=10_000_000, total_ms=1_000_000.0, wal_bytes=50 * GB)) == []


@pytest.mark.parametrize(
    "values",
    [
        {"calls": 9},
        {"is_top_level": False},
        *({"text": text} for text in ("VACUUM task", "ANALYZE", "CREATE INDEX ON task (id)", "COPY task TO STDOUT")),
        *({"text": text} for text in ("COMMIT", "BEGIN", 'SAVEPOINT "?"', "REFRESH MATERIALIZED VIEW totals")),
    ],
)
def test_silent_about_what_is_no_query_or_is_over(values: dict[str, Any]) -> None:
    assert said(heavy(total_ms=20 * LOAD_MS, **values)) == []


@pytest.mark.parametrize(
    ("values", "said_so"),
    [
        ({"shared_blocks_hit": 200_000_000, "shared_blocks_read": 160_000_000}, "100% of blocks read: 360,000,000 blo"),
        ({"temp_blocks_written": 10 * GB // 8192}, "100% of temporary files: 10 GB in 10,000 executions, 1.0 MB each"),
        ({"wal_bytes": 10 * GB}, "100% of WAL: 10 GB in 10,000 executions, 1.0 MB each"),
    ],
)
def test_the_other_resources_have_their_own_floors(values: dict[str, int], said_so: str) -> None:
    found = finding(heavy(total_ms=1.0, **values))
    assert found.severity is Severity.INFO
    assert found.message.startswith(said_so)
    (name, value), *_ = values.items()
    assert said(heavy(total_ms=1.0, **{**values, name: value - 1})) == []
    large = finding(heavy(total_ms=1.0, **{key: 5 * number for key, number in values.items()}))
    assert large.severity is Severity.WARNING


def test_one_finding_for_all_of_a_statement_the_worst_first() -> None:
    found = finding(heavy(wal_bytes=60 * GB), others(wal_bytes=60 * GB))
    assert found.message.startswith("50% of WAL and 100% of execution time: 60 GB")
    assert found.evidence["shares"] == "50% of WAL, 100% of execution time"
    assert found.severity is Severity.WARNING


def test_what_functions_ran_is_counted_once() -> None:
    inner = a_statement(3, is_top_level=False, total_ms=100 * LOAD_MS)
    assert finding(heavy(), inner).evidence["share_ratio"] == 1.0


def test_a_short_window_is_not_judged() -> None:
    (unseen,) = said(heavy(), window=a_window(0.99))
    assert isinstance(unseen, Unseen)
    finding(heavy(), window=a_window(1.0))


def test_a_role_that_sees_its_own_alone_says_so() -> None:
    found, unseen = said(heavy(), tracking=a_tracking(sees_all_roles=False))
    assert isinstance(found, Finding)
    assert isinstance(unseen, Unseen)
    assert found.confidence is Confidence.MEDIUM
    assert "100% of execution time of the statements that this role sees:" in found.message
    assert finding(heavy(), window=a_window(10, is_lower_bound=True)).confidence is Confidence.MEDIUM


def test_the_query_that_makes_the_load_is_found(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements; CREATE TABLE task (id int PRIMARY KEY, body text)")
    before = Before(snapshot_of(database), earlier=timedelta(hours=2))
    database.execute("INSERT INTO task SELECT n, 'x' FROM generate_series(1, 20000) n")
    for number in range(10):
        database.execute("SELECT count(*) FROM task a JOIN task b ON a.id > b.id AND b.id < 40")
        database.execute("SELECT body FROM task WHERE id = %s", number)
    database.execute("SET maintenance_work_mem = '1MB'")
    for _ in range(10):
        database.execute("BEGIN")
        database.execute("COMMIT")
    database.execute("VACUUM FULL task")
    (found,) = look_over(database, CHECK, before, load_ratio=0.000_003).findings
    assert "FROM task a JOIN task b" in found.message
    assert found.evidence["calls"] == 10
    assert look_over(database, CHECK, before).findings == []
    later = Before(snapshot_of(database), earlier=timedelta(hours=1))
    assert look_over(database, CHECK, later, load_ratio=0.000_003).findings == []
