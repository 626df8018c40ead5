from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.analysis.runner import analyze, select
from dbops.checks.disabled_autovacuum import check
from dbops.collect.postgres import collect
from dbops.collect.session import Session
from dbops.embedded.postgres import Cluster
from dbops.findings.finding import Basis, Finding, Kind, Severity, Target
from tests.looking import apply, look, undo
from tests.setting_builders import a_server, a_setting

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.servers import Database, Server

CHECK = "disabled_autovacuum"


def findings(name: str, value: str | None, **values: Any) -> list[Finding]:
    return list(check((a_setting(name, value, **values),), a_server()))


def test_autovacuum_off_is_found_with_a_way_back() -> None:
    (found,) = findings("autovacuum", "off")
    assert found.target == Target(Kind.SETTING, "autovacuum")
    assert (found.severity, found.basis, found.is_red) == (Severity.WARNING, Basis.MEASURED, False)
    assert found.evidence == {"value": "off", "source": "configuration file"}
    assert found.message == (
        "autovacuum is off: nothing takes dead rows away, and nothing keeps the planner's statistics up to date."
    )
    assert found.fix is not None
    assert found.fix.sql == ("ALTER SYSTEM SET autovacuum = on;", "SELECT pg_reload_conf();")
    assert found.fix.undo == ("ALTER SYSTEM SET autovacuum = off;", "SELECT pg_reload_conf();")
    assert found.fix.caution is not None
    assert "needs a superuser" in found.fix.caution


def test_without_counters_autovacuum_is_as_good_as_off() -> None:
    (found,) = findings("track_counts", "off", context="superuser")
    assert found.message.startswith("track_counts is off, and without its counters autovacuum does not run")


def test_counters_that_are_off_for_some_hide_only_their_changes() -> None:
    (found,) = findings("track_counts", "off", source="user", context="superuser")
    assert found.message.startswith(
        "track_counts is off for this role's sessions: autovacuum knows nothing of the rows"
    )
    assert found.fix is not None
    assert found.fix.sql == ("ALTER ROLE web RESET track_counts;",)


def test_the_command_line_wins_over_any_fix() -> None:
    (found,) = findings("autovacuum", "off", source="command line")
    assert found.fix is None


@pytest.mark.parametrize(
    ("name", "value"), [("autovacuum", "on"), ("track_counts", "on"), ("track_counts", None), ("track_wal_io", "off")]
)
def test_silent_about(name: str, value: str | None) -> None:
    assert findings(name, value) == []


def told(cluster: Cluster) -> list[Finding]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        snapshot = collect(Session(connection, psycopg.Error), alias=None, database="")
    return list(analyze(snapshot, select(only=[CHECK])).findings)


def run(cluster: Cluster, statements: Sequence[str]) -> None:
    """Run what changes the configuration, until a new session sees it."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        before = connection.execute("SELECT pg_conf_load_time()").fetchone()
        for statement in statements:
            connection.execute(statement)
    after = before
    while after == before:
        time.sleep(0.005)
        with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
            after = connection.execute("SELECT pg_conf_load_time()").fetchone()


def test_autovacuum_is_switched_on_and_off_again(server: Server, place: Path) -> None:
    server.cluster.account.take(place)
    cluster = Cluster(
        place / "data",
        place / "socket",
        settings={"autovacuum": "off"},
        durable=False,
        account=server.cluster.account,
    )
    cluster.ensure_started(lambda _: [server.binaries])
    try:
        (found,) = told(cluster)
        assert found.target.name == "autovacuum"
        assert found.fix is not None
        run(cluster, found.fix.sql)
        assert told(cluster) == []
        run(cluster, found.fix.undo)
        assert [one.target.name for one in told(cluster)] == ["autovacuum"]
    finally:
        cluster.stop()


def test_counters_switched_off_for_a_role_are_found_by_its_own_session_alone(database: Database) -> None:
    role = database.create_role(f"{database.name}_uncounted")
    database.execute(f"ALTER ROLE {role} SET track_counts = off")
    (found,) = look(database, CHECK, role=role).findings
    assert found.target.name == "track_counts"
    assert look(database, CHECK).findings == []
    apply(database, found.fix)
    assert look(database, CHECK, role=role).findings == []
    undo(database, found.fix)
    assert look(database, CHECK, role=role).targets == ["track_counts"]
