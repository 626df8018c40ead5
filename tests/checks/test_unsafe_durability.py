from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.analysis.runner import analyze, select
from dbops.checks.unsafe_durability import check
from dbops.collect.postgres import collect
from dbops.collect.session import Session
from dbops.embedded.postgres import Cluster
from dbops.findings.finding import Finding, Kind, Severity, Target
from tests.looking import look
from tests.setting_builders import a_server, a_setting

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from tests.servers import Database, Server

CHECK = "unsafe_durability"
SAFE = {"fsync": "on", "full_page_writes": "on", "zero_damaged_pages": "off", "ignore_checksum_failure": "off"}


def findings(name: str, value: str | None, **values: Any) -> list[Finding]:
    return list(check((a_setting(name, value, **values),), a_server()))


def test_fsync_off_is_a_red_emergency_with_a_way_back() -> None:
    (found,) = findings("fsync", "off")
    assert found.target == Target(Kind.SETTING, "fsync")
    assert (found.severity, found.is_red) == (Severity.CRITICAL, True)
    assert found.evidence == {"value": "off", "source": "configuration file"}
    assert found.message.startswith("fsync is off: a crash of the machine or a power failure leaves data files")
    assert found.fix is not None
    assert found.fix.sql == ("ALTER SYSTEM SET fsync = on;", "SELECT pg_reload_conf();")
    assert found.fix.undo == ("ALTER SYSTEM SET fsync = off;", "SELECT pg_reload_conf();")
    assert not found.fix.in_transaction
    assert found.fix.caution is not None
    assert "needs a superuser" in found.fix.caution
    assert "run sync" in found.fix.caution


def test_what_the_command_line_says_no_sql_can_change() -> None:
    (found,) = findings("full_page_writes", "off", source="command line")
    assert "full_page_writes is off (on the server's command line)" in found.message
    assert found.fix is None


def test_on_a_providers_server_the_message_says_where_it_is_changed() -> None:
    (found,) = check((a_setting("fsync", "off"),), a_server(provider="rds"))
    assert found.message.endswith("On Amazon RDS it is changed in the instance's parameter group.")
    assert found.fix is None


@pytest.mark.parametrize("provider", ["neon", "aurora"])
def test_settings_of_files_say_nothing_where_a_storage_service_keeps_the_pages(provider: str) -> None:
    settings = tuple(a_setting(name, "off") for name in ("fsync", "full_page_writes"))
    damaged = a_setting("zero_damaged_pages", "on", source="user")
    assert list(check(settings, a_server(provider=provider))) == []
    assert [found.target.name for found in check((*settings, damaged), a_server(provider=provider))] == [damaged.name]


@pytest.mark.parametrize(
    ("source", "scope"),
    [
        ("global", "ROLE ALL"),
        ("database", "DATABASE shop"),
        ("user", "ROLE web"),
        ("database user", "ROLE web IN DATABASE shop"),
    ],
)
def test_what_was_said_for_somebody_is_taken_back_there(source: str, scope: str) -> None:
    (found,) = findings("zero_damaged_pages", "on", source=source, context="superuser")
    assert found.fix is not None
    assert found.fix.sql == (f"ALTER {scope} RESET zero_damaged_pages;",)
    assert found.fix.undo == (f"ALTER {scope} SET zero_damaged_pages = on;",)


@pytest.mark.parametrize(("name", "value"), [*SAFE.items(), ("fsync", None), ("synchronous_commit", "off")])
def test_silent_about(name: str, value: str | None) -> None:
    assert findings(name, value) == []


def told(cluster: Cluster) -> dict[str, Finding]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        snapshot = collect(Session(connection, psycopg.Error), alias=None, database="")
    return {finding.target.name: finding for finding in analyze(snapshot, select(only=[CHECK])).findings}


def loaded_at(cluster: Cluster) -> datetime:
    """When the server, not only our session, last read its configuration."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        moment: datetime = connection.execute("SELECT pg_conf_load_time()").fetchall()[0][0]
    return moment


def run(cluster: Cluster, statements: tuple[str, ...]) -> None:
    before = loaded_at(cluster)
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
    while loaded_at(cluster) == before:
        time.sleep(0.005)


def test_a_server_that_is_quick_but_unsafe_is_made_safe_and_unsafe_again(server: Server, place: Path) -> None:
    server.cluster.account.take(place)
    cluster = Cluster(place / "data", place / "socket", durable=False, account=server.cluster.account)
    cluster.ensure_started(lambda _: [server.binaries])
    try:
        found = told(cluster)
        assert set(found) == {"fsync", "full_page_writes"}
        fixes = [finding.fix for finding in found.values() if finding.fix is not None]
        assert len(fixes) == 2
        for fix in fixes:
            run(cluster, fix.sql)
        assert told(cluster) == {}
        for fix in fixes:
            run(cluster, fix.undo)
        assert set(told(cluster)) == {"fsync", "full_page_writes"}
    finally:
        cluster.stop()


def test_what_a_role_was_given_is_found_by_its_own_session_alone(database: Database) -> None:
    role = database.create_role(f"{database.name}_rescuer")
    database.execute(f"ALTER ROLE {role} SET zero_damaged_pages = on")
    database.execute(f"ALTER ROLE {role} IN DATABASE {database.name} SET ignore_checksum_failure = on")
    found = {finding.target.name: finding for finding in look(database, CHECK, role=role).findings}
    damaged = {"zero_damaged_pages", "ignore_checksum_failure"}
    assert damaged <= set(found)
    assert not damaged & set(look(database, CHECK).targets)
    for name in damaged:
        fix = found[name].fix
        assert fix is not None
        database.execute(fix.sql[0])
    assert not damaged & set(look(database, CHECK, role=role).targets)
