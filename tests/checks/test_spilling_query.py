from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dbops.checks.spilling_query import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from tests.activity_builders import a_statement, a_tracking, a_window
from tests.looking import snapshot_of
from tests.setting_builders import a_setting
from tests.windows import Before, look_over

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "spilling_query"
GB = 1024**3
SORT = "SELECT * FROM task ORDER BY title"


def said(*statements: Any, window: Any = None, **options: Any) -> list[Finding | Unseen]:
    return list(check(statements, window or a_window(), **options))


def finding(*statements: Any, **options: Any) -> Finding:
    (found,) = said(*statements, **options)
    assert isinstance(found, Finding)
    return found


def spilling(**values: Any) -> Any:
    return a_statement(**{"text": SORT, "calls": 120, "temp_blocks_written": 24 * GB // 8192, **values})


def test_a_query_at_the_limits() -> None:
    found = finding(spilling(), settings=(a_setting("work_mem", "4096"),))
    assert found.target == Target(Kind.QUERY, "1")
    assert (found.severity, found.confidence, found.basis) == (Severity.WARNING, Confidence.HIGH, Basis.MEASURED)
    assert found.message == (
        "It writes 205 MB of temporary files each time beyond work_mem (4.0 MB), 1.0 GB an hour in 5 executions; more "
        f"work_mem for its role or its transaction alone would spare that: {SORT}"
    )
    assert found.evidence["bytes_per_call"] == 24 * GB // 120
    assert found.evidence["temp_bytes_per_hour"] == GB
    assert found.evidence["calls_per_hour"] == 5.0
    assert found.fix is None


def test_silent_below_the_limits() -> None:
    assert said(spilling(calls=119)) == []
    assert said(spilling(temp_blocks_written=24 * GB // 8192 - 1)) == []
    assert said(spilling(temp_blocks_written=0, temp_blocks_read=10**9)) == []
    assert said(spilling(text="CREATE INDEX ON task (title)")) == []
    assert said(spilling(is_top_level=False)) == []


def test_the_servers_own_size_of_blocks() -> None:
    large = (a_setting("block_size", "32768"),)
    finding(spilling(temp_blocks_written=24 * GB // 32768), settings=large)
    assert said(spilling(temp_blocks_written=24 * GB // 32768)) == []


def test_a_short_window_is_not_extrapolated() -> None:
    few = spilling(calls=4, temp_blocks_written=10 * GB // 8192)
    assert said(few, window=a_window(0.1)) == []
    assert finding(spilling(calls=5, temp_blocks_written=GB // 8192), window=a_window(0.1)).evidence["calls"] == 5


def test_a_role_that_sees_its_own_alone_says_so() -> None:
    (unseen,) = said(statement_tracking=a_tracking(sees_all_roles=False))
    assert isinstance(unseen, Unseen)


def test_a_sort_that_spills_is_found_and_gone_with_more_memory(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements")
    database.execute("CREATE TABLE task AS SELECT n AS id, md5(n::text) AS title FROM generate_series(1, 30000) n")
    before = Before(snapshot_of(database), earlier=timedelta(hours=1))

    def sort(memory: str) -> None:
        database.execute(f"SET work_mem = '{memory}'")
        for _ in range(6):
            database.execute("SELECT count(*) FROM (SELECT id FROM task ORDER BY title OFFSET 10) s")
            database.execute("SELECT count(*) FROM task WHERE title = 'secret'")

    sort("64kB")
    database.execute("SET maintenance_work_mem = '1MB'; SET max_parallel_maintenance_workers = 0")
    for _ in range(6):
        database.execute("CREATE INDEX i ON task (title); DROP INDEX i")
    floor: dict[str, Any] = {"bytes_per_hour": 2 * 1024**2}
    (found,) = look_over(database, CHECK, before, **floor).findings
    assert "ORDER BY title" in found.message
    assert found.evidence["calls"] == 6
    assert int(found.evidence["bytes_per_call"]) > 500_000
    assert look_over(database, CHECK, before).findings == []
    later = Before(snapshot_of(database), earlier=timedelta(minutes=55))
    sort("64MB")
    assert look_over(database, CHECK, later, **floor).findings == []
