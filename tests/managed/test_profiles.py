"""What each provider gives its customers, made of roles, settings and refusals on a server of our own.

After the providers' documentation: the administrator is no superuser anywhere; pg_hba.conf and the passwords are hidden
everywhere; a database of the provider's own cannot be entered; Neon and Supabase hand out an address of a pooler in
transaction mode beside the direct one; Neon runs with fsync off, for its pages are not in files.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg
import pytest

from dbops.analysis.registry import checks
from dbops.counters.windows import MADE_FROM_HISTORY
from dbops.diagnose import diagnose_dsn
from dbops.errors import TargetUnreachableError
from dbops.findings.report import Outcome, Report
from dbops.snapshot.providers import PROVIDERS
from dbops.sources import connect_dsn
from tests.looking import snapshot_of
from tests.pgbouncer import PORT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import Database


@dataclass(frozen=True)
class Profile:
    """A provider's group for administrators, and what gives the provider away.

    `group` is what the administrator is a member of, `attributes` and `memberships` what it has and may, `marks` are
    statements; `foreign_schema` is one that the provider keeps in the customer's database.
    """

    provider: str
    group: str
    attributes: str
    memberships: tuple[str, ...]
    marks: tuple[str, ...] = ()
    foreign_schema: str | None = None


PROFILES: Final = (
    Profile("rds", "rds_superuser", "CREATEROLE CREATEDB", ("pg_monitor", "pg_signal_backend")),
    Profile(
        "aurora",
        "rds_superuser",
        "CREATEROLE CREATEDB",
        ("pg_monitor", "pg_signal_backend"),
        marks=("CREATE FUNCTION pg_catalog.aurora_version() RETURNS text LANGUAGE sql RETURN '17.4.1'",),
    ),
    Profile("cloudsql", "cloudsqlsuperuser", "CREATEROLE CREATEDB", ("pg_monitor", "pg_signal_backend")),
    Profile(
        "neon",
        "neon_superuser",
        "CREATEROLE CREATEDB REPLICATION BYPASSRLS",
        ("pg_monitor", "pg_read_all_data", "pg_write_all_data"),
        marks=("ALTER DATABASE {database} SET neon.timeline_id = '0123456789abcdef'",),
    ),
    Profile(
        "supabase",
        "supabase_admin",
        "CREATEROLE CREATEDB REPLICATION BYPASSRLS",
        ("pg_monitor", "pg_read_all_data", "pg_signal_backend"),
        foreign_schema="auth",
    ),
    Profile("azure", "azure_pg_admin", "CREATEROLE CREATEDB", ("pg_monitor", "pg_signal_backend")),
)
SCHEMA: Final = """
    CREATE TABLE customer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
    CREATE TABLE orders (id bigserial PRIMARY KEY, customer_id bigint REFERENCES customer, note text);
    CREATE INDEX orders_note_idx ON orders (note);
    CREATE INDEX orders_note_again ON orders (note);
    INSERT INTO customer (name) SELECT 'x' FROM generate_series(1, 10);
"""
#: Kept by the provider where the customer's roles may look at nothing but the catalogue.
FOREIGN: Final = """
    CREATE SCHEMA {schema}; CREATE TABLE {schema}.sessions (id serial PRIMARY KEY, token text);
"""


@dataclass(frozen=True)
class Managed:
    """A customer's database at a provider."""

    profile: Profile
    database: Database
    administrator: str
    application: str


@pytest.fixture(params=PROFILES, ids=lambda profile: profile.provider)
def managed(request: pytest.FixtureRequest, database: Database) -> Managed:
    profile: Profile = request.param
    group = profile.group
    is_login = group == "supabase_admin"
    database.create_role(group, login=is_login)
    administrator, application = database.create_role("customer_admin"), database.create_role("customer_web")
    database.execute(f"ALTER ROLE {administrator} {profile.attributes}")
    database.execute(f"GRANT {', '.join(profile.memberships)} TO {administrator}")
    if not is_login:
        database.execute(f"GRANT {group} TO {administrator}")
    for mark in profile.marks:
        database.execute(mark.format(database=database.name))
    database.execute(f"ALTER DATABASE {database.name} OWNER TO {administrator}")
    with closing(database.connect(administrator)) as connection:
        connection.execute(SCHEMA)
        connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {application}")
    if profile.foreign_schema:
        for statement in FOREIGN.format(schema=profile.foreign_schema).split(";")[:-1]:
            database.execute(statement)
    return Managed(profile, database, administrator, application)


def report_of(managed: Managed, role: str) -> Report:
    return diagnose_dsn(managed.database.dsn_for(role))


def test_the_provider_is_known_to_every_role(managed: Managed) -> None:
    for role in managed.administrator, managed.application:
        server = snapshot_of(managed.database, role=role).server
        assert server is not None
        assert server.provider == managed.profile.provider
        assert server.provider in PROVIDERS
        assert not server.is_superuser


def test_a_server_of_ones_own_has_no_provider(database: Database) -> None:
    server = snapshot_of(database).server
    assert server is not None
    assert server.provider is None


def test_nothing_crashes_and_what_is_hidden_is_named(managed: Managed) -> None:
    for role in managed.administrator, managed.application:
        report = report_of(managed, role)
        assert report.interrupted is None
        assert report.outcomes(Outcome.CRASHED) == ()
        assert all(result.reason for result in report.outcomes(Outcome.SKIPPED))
        assert "duplicate_index" in {finding.check for finding in report.findings}


def test_the_administrator_sees_all_but_what_the_provider_keeps(managed: Managed) -> None:
    report = report_of(managed, managed.administrator)
    of_history = {check.id for check in checks().values() if check.sections & MADE_FROM_HISTORY.keys()}
    partly = {
        result.check: result.reason
        for result in report.results
        if result.reason is not None and result.check not in of_history
    }
    assert partly.keys() == {"weak_authentication"}, partly
    assert f"{PROVIDERS[managed.profile.provider].name} keeps it to itself" in str(partly["weak_authentication"])


def test_what_the_application_may_not_see_says_by_which_right_it_would(managed: Managed) -> None:
    report = report_of(managed, managed.application)
    partly = {result.check: str(result.reason) for result in report.results if result.reason is not None}
    assert "SELECT" in partly["exhausted_sequence"]
    assert "SELECT" in partly["lagging_sequence"]


def test_advice_on_settings_is_one_that_the_customer_can_follow(managed: Managed) -> None:
    managed.database.execute(f"ALTER DATABASE {managed.database.name} SET zero_damaged_pages = on")
    findings = report_of(managed, managed.administrator).findings
    (found,) = [finding for finding in findings if finding.check == "unsafe_durability"]
    assert found.fix is not None
    assert found.fix.sql == (f"ALTER DATABASE {managed.database.name} RESET zero_damaged_pages;",)
    everything = json.dumps([finding.fix.sql for finding in findings if finding.fix])
    assert "ALTER SYSTEM" not in everything


@pytest.mark.parametrize("managed", [one for one in PROFILES if one.provider in {"neon", "supabase"}], indirect=True)
def test_through_the_pooled_address_the_same_is_seen(managed: Managed, pooler: Path) -> None:
    direct = diagnose_dsn(managed.database.dsn_for(managed.application))
    pooled = f"host={pooler} port={PORT} user={managed.application} dbname={managed.database.name}"
    for _ in range(2):  # the second look meets what the first may have left in the server's sessions
        report = diagnose_dsn(pooled)
        assert report.interrupted is None
        assert [result for result in report.results if result.outcome is Outcome.CRASHED] == []
        seen = {(finding.check, finding.target.name) for finding in report.findings}
        assert seen == {(finding.check, finding.target.name) for finding in direct.findings}


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_look_leaves_nothing_behind_in_a_poolers_session(database: Database, pooler: Path) -> None:
    dsn = f"host={pooler} port={PORT} user=postgres dbname={database.name}"
    state = (
        "SELECT name, setting FROM pg_settings WHERE source = 'session' AND name !~ '^(application|client_enc|Date)'"
    )
    with closing(psycopg.connect(dsn, autocommit=True)) as other:
        before = other.execute(state).fetchall()
        diagnose_dsn(dsn)
        assert other.execute(state).fetchall() == before
        assert other.execute("SELECT name FROM pg_prepared_statements").fetchall() == []
        assert other.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchall() == [(0,)]


def test_a_pooler_that_refuses_options_is_understood(database: Database, pooler: Path) -> None:
    dsn = f"host={pooler} port={PORT} user=postgres dbname={database.name} options='-c work_mem=8MB'"
    with pytest.raises(TargetUnreachableError, match="unsupported startup parameter") as refused:
        diagnose_dsn(dsn)
    assert refused.value.hint == "a pooler takes no options: leave them out, or use the server's own address"


def test_statements_are_not_prepared_behind_our_back(database: Database) -> None:
    with connect_dsn(database.dsn) as (connection, _), closing(connection.cursor()) as cursor:
        for _ in range(10):
            cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        assert cursor.fetchone() == (0,)


def test_every_check_was_asked(managed: Managed) -> None:
    report = diagnose_dsn(managed.database.dsn_for(managed.application), only=sorted(checks()))
    assert {result.check for result in report.results} == set(checks())
    assert report.outcomes(Outcome.CRASHED) == ()
