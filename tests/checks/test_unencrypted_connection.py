from __future__ import annotations

import os
import subprocess
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.analysis.runner import analyze, select
from dbops.checks.unencrypted_connection import check
from dbops.collect.postgres import collect
from dbops.collect.session import Session
from dbops.embedded.endpoint import PORT
from dbops.embedded.postgres import Cluster
from dbops.findings.finding import Finding, Kind, Severity, Target
from dbops.findings.report import Outcome
from tests.looking import look
from tests.relay import network_address, relayed
from tests.security_builders import IN_DEVELOPMENT, IN_PRODUCTION, SERVER, a_database, a_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dbops.snapshot.django_rows import DjangoDatabase
    from dbops.snapshot.rows import DjangoSettings
    from dbops.snapshot.security_rows import SessionSecurity
    from tests.servers import Database, Server

CHECK = "unencrypted_connection"
REMOTE = a_session(client_address="10.0.0.7", server_address="10.0.0.5")
ENCRYPTED = a_session(client_address="10.0.0.7", server_address="10.0.0.5", is_ssl=True)


def findings(
    session: SessionSecurity,
    database: DjangoDatabase | None = None,
    settings: tuple[DjangoSettings, ...] | None = None,
) -> list[Finding]:
    others = (a_database(alias="other", is_target=False, host_kind="socket"),)
    return list(check((SERVER,), (session,), settings, (*others, database) if database else None))


def test_what_crosses_the_network_in_plain_sight_is_a_warning() -> None:
    (found,) = findings(REMOTE, a_database(), IN_PRODUCTION)
    assert found.target == Target(Kind.DATABASE, "shop")
    assert found.severity is Severity.WARNING
    assert found.message == (
        "What this project and the server say to one another crosses the network unencrypted (sslmode=prefer)."
    )
    assert found.evidence == {"client_address": "10.0.0.7", "server_address": "10.0.0.5", "ssl_mode": "prefer"}


def test_in_development_it_is_information() -> None:
    (found,) = findings(REMOTE, a_database(), IN_DEVELOPMENT)
    assert found.severity is Severity.INFO


@pytest.mark.parametrize("kind", ["socket", "loopback"])
def test_a_pooler_in_between_is_told_as_such(kind: str) -> None:
    (found,) = findings(REMOTE, a_database(host_kind=kind))
    assert "through something on this machine, a pooler or a tunnel" in found.message


def test_of_a_look_that_is_no_projects_the_server_is_told() -> None:
    (found,) = findings(REMOTE)
    assert found.message == "The server took a connection from another machine that is not encrypted."
    assert "ssl_mode" not in found.evidence


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_encryption_that_is_not_insisted_on_is_information(mode: str) -> None:
    (found,) = findings(ENCRYPTED, a_database(ssl_mode=mode), IN_PRODUCTION)
    assert found.severity is Severity.INFO
    assert f"sslmode={mode} would go on without" in found.message


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full", None])
def test_encryption_that_is_insisted_on_is_fine(mode: str | None) -> None:
    assert findings(ENCRYPTED, a_database(ssl_mode=mode)) == []


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"client_address": "127.0.0.1", "server_address": "127.0.0.1"},
        {"client_address": "::1", "server_address": "::1"},
        {"client_address": "10.0.0.5", "server_address": "10.0.0.5"},
        {"client_address": "10.0.0.7", "server_address": "10.0.0.5", "is_gss_encrypted": True},
    ],
    ids=["socket", "loopback", "loopback 6", "the machine itself", "kerberos"],
)
def test_silent_about(values: dict[str, Any]) -> None:
    assert findings(a_session(**values), a_database()) == []


def test_a_unix_socket_is_fine(database: Database) -> None:
    sections = {"django_databases": (a_database(host_kind="socket"),), "django_settings": IN_PRODUCTION}
    assert look(database, CHECK, sections=sections).result.outcome is Outcome.OK


@pytest.fixture
def reached_over_the_network(server: Server, place: Path) -> Iterator[tuple[Cluster, str]]:
    """A server of its own that takes whoever comes over TCP, and a connection string for a way over the network."""
    source = network_address()
    if source is None:
        pytest.skip("this machine has no address but loopback ones")
    pid = os.getpid()
    address = (
        f"127.{pid >> 16 & 255}.{pid >> 8 & 255}.{pid & 255 or 1}"  # the port is given, so that the address varies
    )
    account = server.cluster.account
    cluster = Cluster(place / "data", place / "socket", {"listen_addresses": address}, durable=False, account=account)
    try:
        cluster.ensure_started(lambda _: [server.binaries])
        with (cluster.data_dir / "pg_hba.conf").open("a", encoding="utf-8") as rules:
            rules.write("host all all all trust\n")
        configure(cluster)
        with relayed((address, PORT), source) as port:
            yield cluster, f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
    finally:
        cluster.stop()


def configure(cluster: Cluster, **settings: str) -> None:
    with closing(psycopg.connect(cluster.dsn(), autocommit=True)) as connection:
        for name, value in settings.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        connection.execute("SELECT pg_reload_conf()")


def said(dsn: str, mode: str) -> list[Finding]:
    """What the check says of a connection with this sslmode."""
    with closing(psycopg.connect(dsn, sslmode=mode, autocommit=True)) as connection:
        snapshot = collect(Session(connection, psycopg.Error), alias=None, database="", sections=["session_security"])
    sections = {"django_databases": (a_database(ssl_mode=mode),), "django_settings": IN_PRODUCTION}
    analysis = analyze(replace(snapshot, sections={**snapshot.sections, **sections}), select(only=[CHECK]))
    assert analysis.results[0].outcome in {Outcome.OK, Outcome.FOUND}
    return list(analysis.findings)


def test_an_unencrypted_connection_is_seen(reached_over_the_network: tuple[Cluster, str]) -> None:
    _, dsn = reached_over_the_network
    (found,) = said(dsn, "prefer")
    assert found.severity is Severity.WARNING
    assert found.evidence["client_address"] == network_address()


def test_an_encrypted_one_is_fine_once_it_is_insisted_on(
    reached_over_the_network: tuple[Cluster, str], place: Path
) -> None:
    cluster, dsn = reached_over_the_network
    certificate, key = place / "server.crt", place / "server.key"
    argv = ["openssl", "req", "-new", "-x509", "-days", "1", "-nodes", "-subj", "/CN=localhost"]
    try:
        subprocess.run([*argv, "-out", str(certificate), "-keyout", str(key)], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    key.chmod(0o600)
    for file in (certificate, key):
        cluster.account.take(file)
    try:
        configure(cluster, ssl_cert_file=str(certificate), ssl_key_file=str(key), ssl="on")
    except psycopg.errors.InvalidParameterValue:
        pytest.skip("this server was built without TLS")
    with closing(psycopg.connect(cluster.dsn(), autocommit=True)) as connection:
        while connection.execute("SHOW ssl").fetchone() != ("on",):
            time.sleep(0.01)
    assert [found.severity for found in said(dsn, "disable")] == [Severity.WARNING]
    assert [found.severity for found in said(dsn, "prefer")] == [Severity.INFO]
    assert said(dsn, "require") == []
