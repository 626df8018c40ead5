from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dbops.checks.regressed_query import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.activity import with_activity
from tests.activity_builders import a_statement, a_tracking, a_window
from tests.looking import snapshot_of
from tests.windows import Before, look_over

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "regressed_query"
#: So few hours that fifty executions of 10 ms are a per cent of a core.
SHORT = a_window(0.005)


def said(
    now: Any, then: Any, *, window: Any = SHORT, earlier: Any = None, tracking: Any = None, **options: Any
) -> list[Finding | Unseen]:
    return list(check((now,), window, (then,), earlier or a_window(), tracking, **options))


def finding(now: Any, then: Any, **options: Any) -> Finding:
    (found,) = said(now, then, **options)
    assert isinstance(found, Finding)
    return found


def ran(mean_ms: float, **values: Any) -> Any:
    return a_statement(**{"calls": 50, "rows": 50, "mean_ms": mean_ms, "max_ms": 50.0, **values})


def test_a_query_at_the_limits() -> None:
    found = finding(ran(10), ran(5))
    assert found.target == Target(Kind.QUERY, "1")
    assert (found.severity, found.confidence, found.basis) == (Severity.WARNING, Confidence.HIGH, Basis.MEASURED)
    assert found.message == (
        "10 ms on average in 50 executions, 5.0 ms before 2026-01-02 11:59; it reads no more than before, so it waits, "
        "or computes more: SELECT * FROM task WHERE user_id = $1"
    )
    assert found.evidence["mean_ms"] == 10
    assert found.evidence["earlier_mean_ms"] == 5
    assert found.evidence["times_as_long_ratio"] == 2
    assert found.evidence["earlier_window_hours"] == 24


def test_silent_below_the_limits() -> None:
    assert said(ran(10), ran(5.01)) == []
    assert said(ran(9.99), ran(1)) == []
    assert said(ran(10, calls=49), ran(5)) == []
    assert said(ran(10), ran(5, calls=49)) == []
    assert said(ran(10), ran(5, query_id=2)) == []
    assert said(ran(10), ran(0)) == []
    assert said(ran(10, is_top_level=False), ran(5)) == []
    assert said(ran(10, text="VACUUM task"), ran(5, text="VACUUM task")) == []


def test_what_costs_little_and_is_fast_is_only_mentioned() -> None:
    assert finding(ran(99), ran(5), window=a_window()).severity is Severity.INFO
    assert finding(ran(100), ran(5), window=a_window()).severity is Severity.WARNING


def test_a_single_long_wait_is_no_regression() -> None:
    assert said(ran(1_000, max_ms=49_900.0), ran(5)) == []
    # It lies before both windows, as far as anybody knows.
    finding(ran(1_000, max_ms=49_900.0), ran(5, max_ms=49_900.0))


def test_what_an_execution_does_otherwise() -> None:
    rows = finding(ran(100, rows=5_000, shared_blocks_hit=5_000), ran(5)).message
    assert "; it gives 100 rows each time, 1.0 before: " in rows
    blocks = finding(ran(100, shared_blocks_hit=40_000, shared_blocks_read=10_000), ran(5, shared_blocks_hit=200))
    assert "; it reads 1,000 blocks each time, 4 before, for as many rows: " in blocks.message


def test_what_is_open_about_a_window_lowers_the_confidence() -> None:
    assert finding(ran(10), ran(5), earlier=a_window(is_lower_bound=True)).confidence is Confidence.MEDIUM
    assert finding(ran(10), ran(5), window=a_window(0.005, is_lower_bound=True)).confidence is Confidence.MEDIUM


def test_a_role_that_sees_its_own_alone_says_so() -> None:
    (unseen,) = said(ran(1), ran(1), tracking=a_tracking(sees_all_roles=False))
    assert isinstance(unseen, Unseen)


def test_a_query_that_lost_its_index_is_found(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements")
    database.execute(
        "CREATE TABLE task AS SELECT n AS id FROM generate_series(1, 40000) n; CREATE INDEX i ON task (id)"
    )
    database.execute("ANALYZE task; CREATE TABLE decoy AS SELECT 1 AS id")

    def work() -> None:
        for number in range(10):
            database.execute("SELECT count(*) FROM task WHERE id = %s", number)
            database.execute("SELECT count(*) FROM decoy WHERE id = %s", number)

    first = Before(snapshot_of(database), earlier=timedelta(hours=4))
    work()
    second = Before(snapshot_of(database), earlier=timedelta(hours=2))
    earlier = with_activity(second.snapshot, [first])
    database.execute("DROP INDEX i")
    work()
    sections = {f"earlier_{name}": earlier.section(name) for name in ("statement_activity", "statement_window")}
    limits: dict[str, Any] = {"mean_ms": 0.5, "many_calls": 10}
    (found,) = look_over(database, CHECK, second, sections=sections, **limits).findings
    assert "FROM task WHERE id = $1" in found.message
    assert "for as many rows" in found.message
    assert found.evidence["calls"] == found.evidence["earlier_calls"] == 10
    assert look_over(database, CHECK, second, sections=sections).findings == []
    database.execute("CREATE INDEX i ON task (id)")
    third = Before(snapshot_of(database), earlier=timedelta(hours=1))
    work()
    assert look_over(database, CHECK, third, sections=sections, **limits).findings == []


def test_skipped_without_a_before(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements")
    looked = look_over(database, CHECK, Before(snapshot_of(database), earlier=timedelta(hours=2)))
    assert looked.result.outcome is Outcome.SKIPPED
