from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from dbops.analysis.runner import analyze, select
from dbops.checks.failed_checksums import check
from dbops.collect.postgres import collect
from dbops.collect.session import Session
from dbops.embedded.postgres import Cluster
from dbops.findings.finding import Finding, Kind, Severity, Target
from dbops.snapshot.integrity_rows import ChecksumFailures
from tests.setting_builders import a_server, a_setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Server

CHECK = "failed_checksums"
KEPT = (a_setting("data_checksums", "on"),)
NOON = datetime(2026, 11, 20, 12, 0, 7, tzinfo=UTC)


def a_count(failures: int | None, database: str | None = "shop", at: datetime | None = None) -> ChecksumFailures:
    return ChecksumFailures(database=database, failures=failures, last_failure_at=at)


def test_any_damaged_page_is_a_red_emergency() -> None:
    (found,) = check((a_count(2, at=NOON), a_count(0, None)), KEPT, a_server())
    assert found.target == Target(Kind.DATABASE, "shop")
    assert (found.severity, found.is_red) == (Severity.CRITICAL, True)
    assert found.evidence == {"failures": 2, "last_failure_at": "2026-11-20T12:00:07+00:00"}
    assert found.message == (
        "A damaged page was read 2 times in shop, last at 2026-11-20 12:00 UTC: "
        "something below PostgreSQL has changed its files."
    )


def test_the_shared_catalogues_are_told_apart() -> None:
    (found,) = check((a_count(0), a_count(1, None)), KEPT, a_server())
    assert found.target.name == "pg_global"
    assert "1 time in the catalogues that all databases share:" in found.message


def test_a_server_without_checksums_is_only_mentioned() -> None:
    (found,) = check((a_count(None), a_count(None, None)), (a_setting("data_checksums", "off"),), a_server())
    assert found.target == Target(Kind.SETTING, "data_checksums")
    assert (found.severity, found.is_red) == (Severity.INFO, False)


def test_silent_about_checksums_that_only_a_provider_could_switch_on() -> None:
    assert list(check((a_count(None),), (a_setting("data_checksums", "off"),), a_server(provider="neon"))) == []


def test_silent_about_pages_that_were_never_wrong() -> None:
    assert list(check((a_count(0), a_count(0, None)), KEPT, a_server())) == []


@pytest.fixture
def cluster(server: Server, place: Path) -> Iterator[Cluster]:
    """A server of the test's own, stopped and without checksums."""
    server.cluster.account.take(place)
    cluster = Cluster(place / "data", place / "socket", account=server.cluster.account)
    start(cluster, server)
    kept = ask(cluster, "SHOW data_checksums") == "on"
    cluster.stop()
    if kept:
        checksums(cluster, server, "--disable")
    yield cluster
    cluster.stop()


def start(cluster: Cluster, server: Server) -> None:
    cluster.ensure_started(lambda _: [server.binaries])


def checksums(cluster: Cluster, server: Server, how: str) -> None:
    program = server.binaries.program("pg_checksums")
    done = cluster.account.run([program, how, "--no-sync", "-D", cluster.data_dir])
    assert done.returncode == 0, done.stderr


def ask(cluster: Cluster, *statements: str) -> str:
    """The only value of the last statement."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        *before, last = statements
        for statement in before:
            connection.execute(statement)
        return str(connection.execute(last).fetchall()[0][0])


def told(cluster: Cluster) -> list[Finding]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        snapshot = collect(Session(connection, psycopg.Error), alias=None, database="")
    return list(analyze(snapshot, select(only=[CHECK])).findings)


def test_checksums_are_missed_then_kept_and_a_damaged_page_is_found(server: Server, cluster: Cluster) -> None:
    start(cluster, server)
    assert [found.target.name for found in told(cluster)] == ["data_checksums"]
    cluster.stop()
    checksums(cluster, server, "--enable")
    start(cluster, server)
    assert told(cluster) == []

    # VACUUM FULL writes the new file past the buffers: the next to read it reads it from the disk.
    path = ask(
        cluster,
        "CREATE TABLE t WITH (autovacuum_enabled = off) AS SELECT repeat('a', 100) FROM generate_series(1, 10)",
        "VACUUM FULL t",
        "SELECT current_setting('data_directory') || '/' || pg_relation_filepath('t')",
    )
    with Path(path).open("r+b") as file:
        file.seek(8000)
        file.write(b"damage")
    with pytest.raises(psycopg.errors.DataCorrupted):
        ask(cluster, "SELECT count(*) FROM t")
    (found,) = told(cluster)
    assert found.target.name == "postgres"
    assert found.evidence["failures"] == 1
    assert "last_failure_at" in found.evidence
