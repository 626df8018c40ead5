from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.transaction_wraparound import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.snapshot.vacuum_rows import HIDDEN_HOLDERS
from tests.activity_builders import a_growth
from tests.checks.aged_server import TRANSACTIONS, aged, run, told
from tests.looking import look, snapshot_of
from tests.setting_builders import a_server
from tests.vacuum_builders import a_database_age, a_holder, a_table_age, autovacuum_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import Database, Server

CHECK = "transaction_wraparound"
OLD = 1_073_741_824
FAILSAFE = 1_600_000_000


def findings(age: int, **options: Any) -> list[Finding]:
    return [one for one in said(age, **options) if isinstance(one, Finding)]


def said(age: int, *, is_here: bool = True, settings: Any = None, **options: Any) -> list[Finding | Unseen]:
    server = options.pop("server", a_server())
    ages = (a_database_age(xid_age=age, is_here=is_here), a_database_age("template0", is_here=False))
    return list(check(server, settings or autovacuum_settings(), ages, **options))


def test_half_of_the_ids_are_used() -> None:
    (found,) = findings(OLD, table_ages=(a_table_age(xid_age=OLD), a_table_age("young")))
    assert found.target == Target(Kind.DATABASE, "shop")
    assert (found.severity, found.basis, found.is_red) == (Severity.WARNING, Basis.MEASURED, False)
    assert found.message == (
        "1,073,741,824 of 2,147,483,648 transaction ids are used since the oldest that shop still holds; "
        "at the end the server refuses every write. The oldest is in public.task."
    )
    assert found.evidence == {
        "xid_age": OLD,
        "used_ratio": 0.5,
        "remaining": 1_070_741_824,
        "failsafe_age": FAILSAFE,
    }
    assert found.location is None
    assert found.fix is not None
    assert found.fix.sql == ("VACUUM public.task;",)
    assert not found.fix.in_transaction


def test_beyond_the_failsafe_age_it_is_red() -> None:
    (found,) = findings(FAILSAFE)
    assert (found.severity, found.is_red) == (Severity.CRITICAL, True)
    (below,) = findings(FAILSAFE - 1)
    assert (below.severity, below.is_red) == (Severity.WARNING, False)
    (lowered,) = findings(700_000_000, settings=autovacuum_settings(vacuum_failsafe_age="700000000"))
    assert lowered.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("age", "settings"),
    [
        (200_000_001, {}),
        (OLD - 1, {}),
        (1_500_000_000, {"autovacuum_freeze_max_age": "1500000000"}),
        (209_999_999, {"vacuum_failsafe_age": "0"}),
    ],
    ids=["routine", "below half", "raised routine", "failsafe never below routine"],
)
def test_silent_at(age: int, settings: dict[str, str]) -> None:
    assert findings(age, settings=autovacuum_settings(**settings)) == []


def test_who_holds_the_old_rows_is_named() -> None:
    holders = (
        a_holder("prepared transaction", "gid-7", xid_age=OLD),
        a_holder("slot", "replica", database=None, xid_age=OLD + 5),
        a_holder("standby", "replicator@b", database=None, xid_age=OLD),
        a_holder(xid_age=OLD - 1),
    )
    (found,) = findings(OLD, horizon_holders=holders)
    assert found.message.endswith(
        "VACUUM changes nothing while it is held by the prepared transaction gid-7, the slot replica "
        "and the standby connected as replicator@b."
    )
    assert found.fix is not None
    assert found.fix.caution is not None
    assert found.fix.caution.startswith("freezes nothing until the prepared transaction gid-7 has ended; ")


def test_a_holder_that_is_hidden_is_named_and_what_is_not_known_of_it_said() -> None:
    hidden = a_holder(pid=7, xid_age=OLD, is_hidden=True)
    found, unseen = said(OLD, horizon_holders=(hidden, a_holder(xid_age=5, is_hidden=True)))
    assert isinstance(found, Finding)
    assert found.message.endswith("held by the session of web@report (pid 7).")
    assert unseen == Unseen("shop", HIDDEN_HOLDERS)
    young = said(OLD, horizon_holders=(a_holder(xid_age=OLD - 1, is_hidden=True),))
    assert [type(one) for one in young] == [Finding]


def test_another_database_is_vacuumed_by_itself_and_a_standby_by_its_primary() -> None:
    (found,) = findings(OLD, is_here=False, table_ages=(a_table_age(xid_age=OLD),))
    assert found.fix is None
    assert found.message.endswith("It can only be vacuumed in a session of its own.")
    (found,) = findings(OLD, server=a_server(is_standby=True))
    assert found.fix is None


def test_tables_are_named_while_they_are_few() -> None:
    letter = a_table_age("letter", is_toast=True, xid_age=OLD + 1)
    (found,) = findings(OLD + 1, table_ages=(a_table_age("letter", xid_age=OLD), letter))
    assert found.message.endswith("The oldest is in the TOAST table of public.letter.")
    assert found.fix is not None
    assert found.fix.sql == ("VACUUM public.letter;",)
    (found,) = findings(OLD, table_ages=tuple(a_table_age(f"t{number}", xid_age=OLD) for number in range(6)))
    assert found.fix is not None
    assert found.fix.sql == ("VACUUM;",)


def test_a_temporary_table_can_only_be_vacuumed_by_its_own_session() -> None:
    temporary = a_table_age("t", schema="pg_temp_4", is_temporary=True, xid_age=OLD)
    (found,) = findings(OLD, table_ages=(temporary,))
    assert "pg_temp_4.t, a temporary table that only its own session can vacuum or drop." in found.message
    assert found.fix is not None
    assert found.fix.sql == ("VACUUM;",)


def test_the_share_is_a_threshold() -> None:
    assert findings(800_000_000, used_ratio=0.3)


def consumed(per_day: int, **values: Any) -> Any:
    """The section with so many transaction ids used up a day."""
    return (a_growth("xid", per_day=per_day, to=5_000_000_000, **values),)


def test_how_many_days_are_left_is_told_at_the_pace_of_the_ids() -> None:
    (found,) = findings(OLD, growth=consumed(10_000_000))
    assert (found.severity, found.basis, found.confidence) == (Severity.WARNING, Basis.MEASURED, Confidence.HIGH)
    assert found.message == (
        "1,073,741,824 of 2,147,483,648 transaction ids are used since the oldest that shop still holds; at the end "
        "the server refuses every write. At the pace of the last 28 days (10,000,000 a day), that is in 107 days."
    )
    assert (found.evidence["days_left"], found.evidence["xids_per_day"]) == (107.1, 10_000_000)


def test_an_age_beyond_routine_is_told_early_where_few_days_are_left() -> None:
    (found,) = findings(500_000_000, growth=consumed(300_000_000))
    assert (found.severity, found.basis, found.confidence) == (Severity.WARNING, Basis.ESTIMATED, Confidence.MEDIUM)
    assert (found.is_red, found.evidence["days_left"]) == (False, 5.5)
    (soon,) = findings(1_300_000_000, growth=consumed(900_000_000))
    assert (soon.severity, soon.basis, soon.is_red) == (Severity.CRITICAL, Basis.ESTIMATED, False)
    assert "that is in 22 hours." in soon.message
    (red,) = findings(FAILSAFE, growth=consumed(900_000_000))
    assert (red.severity, red.basis, red.is_red) == (Severity.CRITICAL, Basis.MEASURED, True)


@pytest.mark.parametrize(
    ("age", "growth"),
    [
        (399_999_999, consumed(900_000_000)),
        (500_000_000, consumed(100_000_000)),
        (500_000_000, consumed(900_000_000, days=3)),
        (500_000_000, (a_growth("xid", values=(0, 0, 10**10, 10**10, 10**10)),)),
        (500_000_000, (a_growth("multixact", per_day=900_000_000),)),
    ],
    ids=["routine on a busy server", "days enough", "measured for three days", "one load", "multixacts"],
)
def test_no_pace_alarms_at(age: int, growth: Any) -> None:
    assert findings(age, growth=growth) == []


def test_the_days_are_thresholds() -> None:
    assert findings(500_000_000, growth=consumed(100_000_000), days_left=30)
    (found,) = findings(500_000_000, growth=consumed(300_000_000), critical_days_left=6)
    assert found.severity is Severity.CRITICAL


def test_a_server_that_is_old_names_who_holds_it_and_is_young_after_the_fix(server: Server, place: Path) -> None:
    with aged(server, place, TRANSACTIONS) as cluster:
        found = told(cluster, CHECK)
        assert set(found) == {"postgres", "template0", "template1"}
        ours = found["postgres"]
        assert (ours.severity, ours.is_red) == (Severity.WARNING, False)
        assert abs(ours.evidence["xid_age"] - TRANSACTIONS.next_id) < 10_000  # type: ignore[operator]
        assert "held by the logical slot forgotten" in ours.message
        assert found["template1"].fix is None
        assert ours.fix is not None
        run(cluster, (TRANSACTIONS.end, *ours.fix.sql))
        assert "postgres" not in told(cluster, CHECK)


def test_everybody_sees_the_ages(database: Database) -> None:
    role = database.create_role(f"{database.name}_bare")
    assert look(database, CHECK, role=role).findings == []
    sections = snapshot_of(database, role=role).sections
    assert {row.name for row in sections["database_ages"]} >= {database.name, "template0"}  # type: ignore[union-attr]
    assert sections["table_ages"]
