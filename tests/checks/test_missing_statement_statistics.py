from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.analysis.runner import analyze, select
from dbops.checks.missing_statement_statistics import check
from dbops.collect.postgres import collect
from dbops.collect.session import Session
from dbops.embedded.postgres import Cluster
from dbops.findings.finding import Finding, Kind, Severity, Target
from tests.activity_builders import NOON, a_tracking, a_window
from tests.looking import apply, look, undo
from tests.setting_builders import a_server, a_setting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import Database, Server

CHECK = "missing_statement_statistics"
EXTENSION = Target(Kind.EXTENSION, "pg_stat_statements")
LIBRARIES = "shared_preload_libraries"


def said(*settings: Any, window: Any = None, server: Any = None, **tracking: Any) -> list[Finding]:
    server = server or a_server(observed_at=NOON)
    return list(check(a_tracking(**tracking), server, settings or None, window))


def finding(*settings: Any, **tracking: Any) -> Finding:
    (found,) = said(*settings, **tracking)
    return found


def preloaded(value: str, **values: Any) -> Any:
    return a_setting(LIBRARIES, value, **{"context": "postmaster", **values})


def test_silent_where_statements_are_counted() -> None:
    assert said() == []
    assert said(track="all") == []


def test_a_library_that_is_loaded_needs_its_extension_only() -> None:
    found = finding(schema=None, version=None)
    assert (found.target, found.severity) == (EXTENSION, Severity.INFO)
    assert found.fix is not None
    assert found.fix.sql == ("CREATE EXTENSION pg_stat_statements;",)
    assert found.fix.undo == ("DROP EXTENSION pg_stat_statements;",)


def test_a_library_that_is_not_loaded_is_added_to_the_others() -> None:
    found = finding(preloaded('auto_explain, "odd-one"'), schema=None, is_loaded=False, track=None, most=None)
    assert (found.target, found.severity) == (EXTENSION, Severity.INFO)
    assert "needs a restart" in found.message
    assert found.fix is not None
    assert found.fix.sql == (
        "ALTER SYSTEM SET shared_preload_libraries = 'auto_explain', 'odd-one', 'pg_stat_statements';",
        "CREATE EXTENSION pg_stat_statements;",
    )
    assert found.fix.undo == (
        "DROP EXTENSION pg_stat_statements;",
        "ALTER SYSTEM SET shared_preload_libraries = 'auto_explain', 'odd-one';",
    )
    assert "restarted" in str(found.fix.caution)


def test_an_extension_that_counts_nothing_is_a_warning() -> None:
    found = finding(preloaded("", source="default"), is_loaded=False, track=None, most=None)
    assert found.severity is Severity.WARNING
    assert found.message.startswith("The extension is here, but counts nothing")
    assert found.fix is not None
    assert found.fix.sql == ("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements';",)
    assert found.fix.undo == ("ALTER SYSTEM RESET shared_preload_libraries;",)


def test_nothing_is_invented_where_the_others_are_not_to_be_seen_or_set() -> None:
    missing: dict[str, Any] = {"schema": None, "is_loaded": False}
    assert finding(**missing).fix is None
    assert finding(a_setting("work_mem", "4096"), **missing).fix is None
    assert finding(preloaded("", source="command line"), **missing).fix is None
    assert finding(preloaded("pg_stat_statements"), **missing).fix is None
    rented = finding(preloaded("rdsutils"), server=a_server(provider="rds"), **missing)
    assert rented.fix is None
    assert "parameter group" in rented.message
    bare = finding(preloaded(""), is_available=False, **missing)
    assert bare.fix is None
    assert "contrib" in bare.message


def track(source: str = "configuration file") -> Any:
    return a_setting("pg_stat_statements.track", "none", source=source, context="superuser")


def test_a_library_that_is_told_to_count_nothing() -> None:
    found = finding(track(), track="none")
    assert found.target == Target(Kind.SETTING, "pg_stat_statements.track")
    assert found.severity is Severity.WARNING
    assert found.fix is not None
    assert found.fix.sql[0] == "ALTER SYSTEM SET pg_stat_statements.track = top;"
    assert finding(track="none").fix is None


def test_what_one_role_or_session_does_not_count() -> None:
    assert finding(track("user"), track="none").severity is Severity.INFO
    assert finding(track("database"), track="none").severity is Severity.WARNING
    assert said(track("client"), track="none") == []


def test_statements_that_are_dropped_to_make_room() -> None:
    most = a_setting("pg_stat_statements.max", "5000", context="postmaster")
    found = finding(most, deallocations=24)
    assert found.target == Target(Kind.SETTING, "pg_stat_statements.max")
    assert found.severity is Severity.WARNING
    assert found.evidence["deallocations_per_hour"] == 1.0
    assert found.fix is not None
    assert found.fix.sql == ("ALTER SYSTEM SET pg_stat_statements.max = 10000;",)
    assert found.fix.undo == ("ALTER SYSTEM SET pg_stat_statements.max = 5000;",)
    assert finding(most, deallocations=23).severity is Severity.INFO
    assert finding(most, deallocations=1).severity is Severity.INFO
    assert said(most, deallocations=1, reset_at=NOON - timedelta(days=1, minutes=1)) == []
    assert finding(most, deallocations=24, most=30_000).fix is None


def test_a_young_or_unknown_beginning_gives_no_rate() -> None:
    assert said(deallocations=24, reset_at=NOON - timedelta(minutes=59)) == []
    assert said(deallocations=24, reset_at=None) == []
    assert said(deallocations=None) == []


def test_history_knows_better_than_the_mean_since_a_reset() -> None:
    assert said(deallocations=24, window=a_window()) == []
    assert finding(deallocations=1, window=a_window(is_lower_bound=True)).severity is Severity.INFO
    assert finding(deallocations=24, window=a_window(source="pg_stat_statements")).severity is Severity.WARNING


def test_a_database_without_the_extension(database: Database) -> None:
    database.create_role(f"{database.name}_bare")
    for role in (None, f"{database.name}_bare"):
        (found,) = look(database, CHECK, role=role).findings
        assert (found.target, found.severity) == (EXTENSION, Severity.INFO)
    apply(database, found.fix)
    assert look(database, CHECK).findings == []
    undo(database, found.fix)
    assert look(database, CHECK).targets == ["pg_stat_statements"]


def test_an_extension_in_an_odd_schema_is_enough(database: Database) -> None:
    database.execute('CREATE SCHEMA "Odd ""one"; CREATE EXTENSION pg_stat_statements SCHEMA "Odd ""one"')
    assert look(database, CHECK).findings == []
    assert look(database, CHECK, role=database.create_role(f"{database.name}_bare")).findings == []


def test_a_database_that_counts_nothing(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements")
    database.execute(f"ALTER DATABASE {database.name} SET pg_stat_statements.track = none")
    (found,) = look(database, CHECK).findings
    assert found.target == Target(Kind.SETTING, "pg_stat_statements.track")
    apply(database, found.fix)
    assert look(database, CHECK).findings == []
    role = database.create_role(f"{database.name}_quiet")
    database.execute(f"ALTER ROLE {role} SET pg_stat_statements.track = none")
    (found,) = look(database, CHECK, role=role).findings
    assert found.severity is Severity.INFO
    apply(database, found.fix)
    assert look(database, CHECK, role=role).findings == []


def told(cluster: Cluster, **server: Any) -> list[Finding]:
    with closing(psycopg.connect(cluster.dsn(), autocommit=True)) as connection:
        snapshot = collect(Session(connection, psycopg.Error), alias=None, database="")
    if server:
        row = replace(snapshot.section("server")[0], **server)  # type: ignore[index]
        snapshot = replace(snapshot, sections={**snapshot.sections, "server": (row,)})
    return list(analyze(snapshot, select(only=[CHECK])).findings)


@pytest.mark.parametrize("libraries", ["", "auto_explain"])
def test_a_server_without_the_library_has_it_after_a_restart(server: Server, place: Path, libraries: str) -> None:
    account = server.cluster.account
    account.take(place)
    settings = {LIBRARIES: libraries, "pg_stat_statements.max": "100"}
    cluster = Cluster(place / "data", place / "socket", settings=settings, durable=False, account=account)

    def restart() -> None:
        cluster.stop()
        cluster.ensure_started(lambda _: [server.binaries])

    cluster.ensure_started(lambda _: [server.binaries])
    try:
        (found,) = told(cluster)
        assert found.target == EXTENSION
        assert found.fix is not None
        _run(cluster, found.fix.sql)
        restart()
        assert told(cluster) == []
        # A hundred places, and more statements than that.
        _run(cluster, tuple(f"SELECT {', '.join(['1'] * number)}" for number in range(1, 200)))
        with closing(psycopg.connect(cluster.dsn())) as connection:
            ((now,),) = connection.execute("SELECT now() + interval '2 hours'").fetchall()
        (evicting,) = told(cluster, observed_at=now)
        assert evicting.target == Target(Kind.SETTING, "pg_stat_statements.max")
        assert int(evicting.evidence["deallocations"]) > 1
        _run(cluster, found.fix.undo)
        restart()
        (again,) = told(cluster)
        assert again.target == EXTENSION
    finally:
        cluster.stop()


def _run(cluster: Cluster, statements: tuple[str, ...]) -> None:
    with closing(psycopg.connect(cluster.dsn(), autocommit=True)) as connection:
        for statement in statements:
            connection.execute(statement)
