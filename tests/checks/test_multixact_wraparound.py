from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.multixact_wraparound import check
from dbops.findings.finding import Basis, Finding, Kind, Severity, Target, Unseen
from dbops.snapshot.vacuum_rows import HIDDEN_HOLDERS
from tests.activity_builders import a_growth
from tests.checks.aged_server import MULTIXACTS, aged, run, told
from tests.setting_builders import a_server
from tests.vacuum_builders import a_database_age, a_holder, a_table_age, autovacuum_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import Server

CHECK = "multixact_wraparound"
OLD = 1_073_741_824
FAILSAFE = 1_600_000_000
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def findings(age: int, **options: Any) -> list[Finding]:
    return [one for one in said(age, **options) if isinstance(one, Finding)]


def said(age: int, *, settings: Any = None, **options: Any) -> list[Finding | Unseen]:
    ages = (a_database_age(xid_age=2_000_000_000, multixact_age=age),)
    return list(check(a_server(observed_at=NOW), settings or autovacuum_settings(), ages, **options))


def test_half_of_the_multixacts_are_used() -> None:
    tables = (a_table_age("older", xid_age=9), a_table_age(multixact_age=OLD))
    (found,) = findings(OLD, table_ages=tables)
    assert found.target == Target(Kind.DATABASE, "shop")
    assert (found.severity, found.is_red) == (Severity.WARNING, False)
    assert found.message == (
        "1,073,741,824 of 2,147,483,648 multixacts are used since the oldest that shop still holds; at the end the "
        "server refuses every statement that needs one, which is most locking of rows. The oldest is in public.task."
    )
    assert found.evidence["multixact_age"] == OLD
    assert found.fix is not None
    assert found.fix.sql == ("VACUUM public.task;",)


def test_beyond_the_failsafe_age_it_is_red() -> None:
    (found,) = findings(FAILSAFE)
    assert (found.severity, found.is_red) == (Severity.CRITICAL, True)
    (lowered,) = findings(800_000_000, settings=autovacuum_settings(vacuum_multixact_failsafe_age="800000000"))
    assert lowered.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("age", "settings"),
    [
        (400_000_001, {}),
        (OLD - 1, {"vacuum_failsafe_age": "0"}),
        (1_500_000_000, {"autovacuum_multixact_freeze_max_age": "1500000000"}),
    ],
    ids=["routine", "below half", "raised routine"],
)
def test_silent_at(age: int, settings: dict[str, str]) -> None:
    assert findings(age, settings=autovacuum_settings(**settings)) == []


def test_who_may_hold_them_is_named() -> None:
    holders = (
        a_holder("prepared transaction", "gid-7", started_at=NOW),
        a_holder(pid=7, started_at=NOW - timedelta(days=2)),
        a_holder(pid=8, started_at=NOW - timedelta(hours=2)),
        a_holder("slot", "replica", xid_age=OLD),
    )
    (found,) = findings(OLD, horizon_holders=holders)
    assert found.message.endswith(
        "VACUUM may change nothing while it is held by the prepared transaction gid-7 "
        "and the session of web@report (pid 7)."
    )


def test_where_sessions_are_hidden_nobody_knows_who_may_hold_them() -> None:
    found, unseen = said(OLD, horizon_holders=(a_holder(pid=7, xid_age=5, is_hidden=True),))
    assert isinstance(found, Finding)
    assert "held by" not in found.message
    assert unseen == Unseen("shop", HIDDEN_HOLDERS)
    assert said(5, horizon_holders=(a_holder(pid=7, is_hidden=True),)) == []


def test_how_many_days_are_left_is_told_at_the_pace_of_the_multixacts() -> None:
    (found,) = findings(OLD, growth=(a_growth("multixact", per_day=10_000_000),))
    assert (found.severity, found.basis) == (Severity.WARNING, Basis.MEASURED)
    assert "most locking of rows. At the pace of the last 28 days (10,000,000 a day), that is in 107 days." in (
        found.message
    )
    assert (found.evidence["days_left"], found.evidence["multixacts_per_day"]) == (107.1, 10_000_000)
    (early,) = findings(900_000_000, growth=(a_growth("multixact", per_day=200_000_000),))
    assert (early.severity, early.basis, early.is_red) == (Severity.WARNING, Basis.ESTIMATED, False)
    assert findings(799_999_999, growth=(a_growth("multixact", per_day=200_000_000),)) == []
    assert findings(900_000_000, growth=(a_growth("xid", per_day=200_000_000),)) == []


def test_a_server_that_is_old_is_red_and_young_after_the_fix(server: Server, place: Path) -> None:
    with aged(server, place, MULTIXACTS) as cluster:
        found = told(cluster, CHECK)
        assert set(found) == {"postgres", "template0", "template1"}
        ours = found["postgres"]
        assert (ours.severity, ours.is_red) == (Severity.CRITICAL, True)
        assert abs(ours.evidence["multixact_age"] - MULTIXACTS.next_id) < 10_000  # type: ignore[operator]
        assert "held by the prepared transaction forgotten" in ours.message
        assert ours.fix is not None
        run(cluster, (MULTIXACTS.end, *ours.fix.sql))
        assert "postgres" not in told(cluster, CHECK)
