from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.spilling_query import check as spilling_query
from dbops.checks.temporary_files import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from tests.activity_builders import a_database_activity, a_statement, a_window
from tests.looking import apply, snapshot_of, undo
from tests.setting_builders import a_server, a_setting
from tests.windows import Before, flush, look_over

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "temporary_files"
GB = 1024**3
OFF = a_setting("log_temp_files", "-1", source="default", context="superuser")
SORT = "SELECT * FROM task ORDER BY title"


def writing(size_bytes: float, query_id: int = 1, **values: Any) -> Any:
    return a_statement(query_id, **{"text": SORT, "temp_blocks_written": int(size_bytes) // 8192, **values})


def said(size_bytes: float, *statements: Any, **options: Any) -> list[Finding | Unseen]:
    """A day with ten files an hour."""
    activity = a_database_activity(temp_files=options.pop("files", 240), temp_bytes=int(size_bytes))
    sections: dict[str, Any] = {
        "window": a_window(),
        "settings": (OFF,),
        "statement_activity": statements,
        "statement_window": a_window(),
        **options,
    }
    return list(check(a_server(), database_activity=activity, **sections))


def findings(size_bytes: float, *statements: Any, **options: Any) -> list[Finding]:
    return [one for one in said(size_bytes, *statements, **options) if isinstance(one, Finding)]


def test_nobody_knows_who_writes() -> None:
    found, setting = findings(24 * GB)
    assert found.target == Target(Kind.DATABASE, "shop")
    assert (found.severity, found.confidence, found.basis) == (Severity.INFO, Confidence.MEDIUM, Basis.MEASURED)
    assert found.message == "1.0 GB of temporary files are written an hour, and 10 files in all."
    assert found.evidence == {
        "temp_files": 240,
        "temp_bytes": 24 * GB,
        "other_temp_bytes": 24 * GB,
        "temp_bytes_per_hour": GB,
        "window_hours": 24.0,
    }
    assert found.fix is None
    assert setting.target == Target(Kind.SETTING, "log_temp_files")
    assert setting.severity is Severity.INFO
    assert setting.message == (
        "log_temp_files is off, so nobody knows which statements write 1.0 GB of temporary files an hour."
    )
    assert setting.fix is not None
    assert setting.fix.sql == ("ALTER SYSTEM SET log_temp_files = '10MB';", "SELECT pg_reload_conf();")
    assert setting.fix.undo == ("ALTER SYSTEM SET log_temp_files = -1;", "SELECT pg_reload_conf();")
    assert setting.fix.caution == "needs a superuser; statements are logged as they were sent, with the data in them"


def test_where_the_log_tells_it_is_named() -> None:
    (found,) = findings(24 * GB, settings=(a_setting("log_temp_files", "10240"),))
    assert found.message.endswith("10 files in all. The server's log names them (log_temp_files).")
    (found,) = findings(24 * GB, settings=())
    assert found.message.endswith("10 files in all.")


def test_where_statements_are_known_the_log_adds_nothing() -> None:
    many = [writing(10 * GB, number, calls=100_000) for number in (1, 2)]
    (found,) = findings(24 * GB, *many)
    assert found.confidence is Confidence.HIGH
    assert found.message == (
        "1.0 GB of temporary files are written an hour, and 10 files in all. Of 2 statements, which write 83% of it, "
        f"the first is: {SORT}"
    )
    assert [one.target.kind for one in findings(26 * GB, *many)] == [Kind.DATABASE, Kind.SETTING]


@pytest.mark.parametrize(
    ("size_bytes", "files", "severity"),
    [
        (24 * GB - 1, 240, None),
        (24 * GB, 119, None),
        (24 * GB, 120, Severity.INFO),
        (240 * GB - 1, 120, Severity.INFO),
        (240 * GB, 120, Severity.WARNING),
    ],
)
def test_the_thresholds(size_bytes: int, files: int, severity: Severity | None) -> None:
    assert [one.severity for one in findings(size_bytes, files=files)][:1] == ([severity] if severity else [])


@pytest.mark.parametrize(
    "one",
    [writing(30 * GB, calls=120), writing(30 * GB, text="CREATE INDEX ON task (title)", calls=1)],
    ids=["spilling_query", "index build"],
)
def test_what_others_say_or_what_is_meant_to_write_is_taken_off(one: Any) -> None:
    assert findings(53 * GB, one) == []
    found, _ = findings(55 * GB, one)
    assert found.message == (
        "1.0 GB of temporary files are written an hour, and 10 files in all, beside the 1.2 GB an hour of single "
        "queries and index builds."
    )
    assert found.evidence["other_temp_bytes"] == 25 * GB
    # What was counted over another time is no part of it.
    assert findings(53 * GB, one, statement_window=a_window(20))
    assert findings(53 * GB, one, statement_window=None, statement_activity=None)


def test_each_byte_is_told_once() -> None:
    for calls in (119, 120):
        for size_bytes in (24 * GB - 8192, 24 * GB):
            one = writing(size_bytes, calls=calls)
            both = [*spilling_query((one,), a_window()), *findings(24 * GB, one)]
            assert len(both) == 1, (calls, size_bytes)


def test_a_short_window_is_not_judged() -> None:
    (unseen,) = said(100 * GB, window=a_window(0.9))
    assert unseen == Unseen("shop", "counted for less than 1 h, which may be those of one job")


# On real servers.

FLOOR: dict[str, Any] = {"bytes_per_hour": 1024**2}


def sort(database: Database, memory: str, *, times: int = 12) -> None:
    database.execute(f"SET work_mem = '{memory}'")
    for _ in range(times):
        database.execute("SELECT count(*) FROM (SELECT id FROM task ORDER BY title OFFSET 10) s")


@pytest.fixture
def before(database: Database) -> Before:
    database.execute("CREATE TABLE task AS SELECT n AS id, md5(n::text) AS title FROM generate_series(1, 30000) n")
    return now(database)


def now(database: Database) -> Before:
    flush(database)
    return Before(snapshot_of(database), earlier=timedelta(hours=2))


def logs(database: Database, value: str) -> bool:
    """Whether new sessions have that value of log_temp_files."""
    session = database.connect()
    (shown,) = session.execute("SHOW log_temp_files").fetchone() or (None,)
    session.close()
    return bool(shown == value)


def test_files_that_nobody_tells_of_are_found_and_the_log_is_switched_on(database: Database, before: Before) -> None:
    sort(database, "64kB")
    looked = look_over(database, CHECK, before, **FLOOR)
    assert looked.targets == [database.name, "log_temp_files"]
    found, setting = looked.findings
    assert found.evidence["temp_files"] == 12
    assert int(found.evidence["temp_bytes"]) > 12 * 500_000
    assert look_over(database, CHECK, before).result.outcome is not Outcome.FOUND
    apply(database, setting.fix)
    try:
        while not logs(database, "10MB"):
            time.sleep(0.01)
        (found,) = look_over(database, CHECK, before, **FLOOR).findings
        assert found.message.endswith("The server's log names them (log_temp_files).")
    finally:
        undo(database, setting.fix)
        while not logs(database, "-1"):
            time.sleep(0.01)
    later = now(database)
    sort(database, "64MB")
    assert look_over(database, CHECK, later, **FLOOR).findings == []


def test_what_statements_tell_needs_no_log_and_what_spilling_query_names_is_left_to_it(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements")
    database.execute("CREATE TABLE task AS SELECT n AS id, md5(n::text) AS title FROM generate_series(1, 30000) n")
    before = now(database)
    sort(database, "64kB")
    database.execute("SET maintenance_work_mem = '1MB'; SET max_parallel_maintenance_workers = 0")
    for _ in range(3):
        database.execute("CREATE INDEX i ON task (title); DROP INDEX i")
    assert look_over(database, CHECK, before, **FLOOR).findings == []
    assert look_over(database, "spilling_query", before, **FLOOR).findings
    (found,) = look_over(database, CHECK, before, **FLOOR, files_per_hour=7).findings
    assert found.target.name == database.name
    assert "ORDER BY title" in found.message
    assert "of single queries and index builds" in found.message
    assert look_over(database, "spilling_query", before, **FLOOR, calls_per_hour=7).findings == []


def test_a_young_database_and_one_without_a_history_are_skipped(database: Database) -> None:
    for looked in (look_over(database, CHECK), look_over(database, CHECK, Before(snapshot_of(database)))):
        assert looked.result.outcome is Outcome.SKIPPED
