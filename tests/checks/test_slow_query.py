from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.slow_query import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from tests.activity_builders import a_statement, a_tracking, a_window
from tests.looking import snapshot_of
from tests.windows import Before, look_over

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "slow_query"


def said(*statements: Any, window: Any = None, tracking: Any = None, **options: Any) -> list[Finding | Unseen]:
    return list(check(statements, window or a_window(), tracking, **options))


def finding(*statements: Any, **options: Any) -> Finding:
    (found,) = said(*statements, **options)
    assert isinstance(found, Finding)
    return found


def slow(**values: Any) -> Any:
    return a_statement(7, **{"calls": 50, "mean_ms": 100, "max_ms": 100.0, **values})


def test_a_query_at_the_limits() -> None:
    found = finding(slow())
    assert found.target == Target(Kind.QUERY, "7")
    assert (found.severity, found.confidence, found.basis) == (Severity.WARNING, Confidence.HIGH, Basis.MEASURED)
    assert found.message == "100 ms on average, 50 times: SELECT * FROM task WHERE user_id = $1"
    assert found.evidence == {
        "calls": 50,
        "mean_ms": 100.0,
        "max_ms": 100.0,
        "total_ms": 5000.0,
        "rows": 100,
        "window_hours": 24,
    }
    assert found.fix is None


def test_silent_below_the_limits() -> None:
    assert said(slow(mean_ms=99.9)) == []
    assert said(slow(calls=49)) == []
    assert said(slow(), mean_ms=101) == []
    assert said() == []


@pytest.mark.parametrize(
    "text",
    [
        "VACUUM task",
        "COPY task TO STDOUT",
        "CREATE INDEX CONCURRENTLY i ON task (id)",
        "COMMIT",
        'FETCH FORWARD ? FROM "?"',
        "CALL nightly()",
        "REFRESH MATERIALIZED VIEW totals",
        "SELECT relname FROM pg_class JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace",
        'SELECT 1 FROM "pg_stat_activity"',
        "SELECT * FROM information_schema.columns",
    ],
)
def test_silent_about_what_is_no_query_of_an_application(text: str) -> None:
    assert said(slow(text=text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "(SELECT 1) UNION SELECT 2",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "UPDATE task SET a = $1",
        "SELECT pg_sleep($1)",
        "SELECT * FROM task JOIN pg_class ON true",
    ],
)
def test_what_is_a_query(text: str) -> None:
    assert finding(slow(text=text)).severity is Severity.WARNING


def test_what_a_function_ran_is_its_callers() -> None:
    assert said(slow(is_top_level=False)) == []


def test_a_single_long_wait_is_only_mentioned() -> None:
    found = finding(slow(max_ms=4_000.0))
    assert (found.severity, found.confidence) == (Severity.INFO, Confidence.LOW)
    assert "a single execution of 4,000 ms may have made the mean" in found.message


def test_a_window_that_leaves_something_open_lowers_the_confidence() -> None:
    assert finding(slow(), window=a_window(source="pg_stat_statements")).confidence is Confidence.MEDIUM
    assert finding(slow(), window=a_window(is_lower_bound=True)).confidence is Confidence.MEDIUM


def test_texts_that_are_missing_or_long() -> None:
    assert finding(slow(text=None)).message.endswith(": a statement whose text is not known")
    text = finding(slow(text=f"SELECT {'x, ' * 200}y FROM task")).message.partition(": ")[2]
    assert len(text) <= 120
    assert text.endswith("…")


def test_a_role_that_sees_its_own_alone_says_so() -> None:
    (unseen,) = said(tracking=a_tracking(sees_all_roles=False))
    assert isinstance(unseen, Unseen)
    assert "pg_read_all_stats" in unseen.reason
    assert said(tracking=a_tracking()) == []


def test_the_costliest_comes_first() -> None:
    names = [one.target.name for one in said(slow(), a_statement(8, calls=90, mean_ms=200)) if isinstance(one, Finding)]
    assert names == ["8", "7"]


def test_a_slow_query_is_found_on_a_server(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements; CREATE TABLE task (id int)")
    before = Before(snapshot_of(database), earlier=timedelta(hours=2))
    for _ in range(12):
        database.execute("SELECT pg_sleep(0.02), 'planted' AS slow")
        database.execute("SELECT count(*) FROM task")
    for _ in range(3):
        database.execute("SELECT pg_sleep(0.02), 1, 'rare'")
    looked = look_over(database, CHECK, before, mean_ms=15, many_calls=10)
    (found,) = looked.findings
    ((query_id,),) = database.execute("SELECT queryid FROM pg_stat_statements WHERE query LIKE '%AS slow'")
    assert found.target == Target(Kind.QUERY, str(query_id))
    assert "planted" not in found.message
    assert found.evidence["calls"] == 12
    assert found.evidence["window_hours"] == 2.0
    assert look_over(database, CHECK, before).findings == []
    # From then on it does not run any more.
    later = Before(snapshot_of(database), earlier=timedelta(hours=1))
    assert look_over(database, CHECK, before, later, mean_ms=15, many_calls=10).targets == [str(query_id)]
    assert look_over(database, CHECK, later, mean_ms=15, many_calls=10).findings == []


def test_skipped_without_the_extension(database: Database) -> None:
    looked = look_over(database, CHECK, Before(snapshot_of(database), earlier=timedelta(hours=2)))
    assert looked.result.outcome is Outcome.SKIPPED
    assert "CREATE EXTENSION pg_stat_statements" in str(looked.result.reason)


def test_what_other_roles_ran_is_unseen_by_a_bare_role(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements")
    role = database.create_role(f"{database.name}_bare")
    before = Before(snapshot_of(database, role=role), earlier=timedelta(hours=2))
    for _ in range(12):
        database.execute("SELECT pg_sleep(0.02)")
    looked = look_over(database, CHECK, before, role=role, mean_ms=15, many_calls=10)
    assert looked.findings == []
    assert looked.result.outcome is Outcome.SKIPPED
    assert "pg_read_all_stats" in str(looked.result.reason)
