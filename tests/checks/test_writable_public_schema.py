from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from dbops.checks.writable_public_schema import check
from dbops.findings.finding import Finding, Kind, Severity, Target
from dbops.findings.report import Outcome
from tests.checks.mending import assert_mends
from tests.looking import apply, look
from tests.security_builders import IN_DEVELOPMENT, IN_PRODUCTION, SERVER, a_schema_grant

if TYPE_CHECKING:
    from dbops.snapshot.rows import DjangoSettings
    from dbops.snapshot.security_rows import SchemaGrants
    from tests.servers import Database

CHECK = "writable_public_schema"


def findings(*schemas: SchemaGrants, settings: tuple[DjangoSettings, ...] | None = None) -> list[Finding]:
    return list(check((SERVER,), schemas, settings))


def test_the_finding_says_who_may_and_what_follows() -> None:
    (found,) = findings(a_schema_grant(is_open=True))
    assert found.target == Target(Kind.SCHEMA, "public")
    assert found.severity is Severity.WARNING
    assert found.message == (
        "Every role that can connect may create tables and functions in public, which is on the search path: "
        "one of them may be taken for what a statement means."
    )


def test_a_schema_off_the_search_path_is_told_without_that() -> None:
    (found,) = findings(a_schema_grant("Odd", is_open=True))
    assert found.target.name == '"Odd"'
    assert found.message == 'Every role that can connect may create tables and functions in "Odd".'


def test_those_who_need_the_right_are_given_it_by_name_first() -> None:
    (found,) = findings(a_schema_grant(is_open=True, creators=("app", "Other")))
    assert found.fix is not None
    assert found.fix.sql == (
        'GRANT CREATE ON SCHEMA public TO app, "Other";',
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
    )
    assert found.fix.undo == (
        "GRANT CREATE ON SCHEMA public TO PUBLIC;",
        'REVOKE CREATE ON SCHEMA public FROM app, "Other";',
    )


@pytest.mark.parametrize(("settings", "severity"), [(IN_DEVELOPMENT, Severity.INFO), (IN_PRODUCTION, Severity.WARNING)])
def test_in_development_it_is_information(settings: tuple[DjangoSettings, ...], severity: Severity) -> None:
    (found,) = findings(a_schema_grant(is_open=True), settings=settings)
    assert found.severity is severity


def test_silent_about_closed_schemas_and_those_of_extensions() -> None:
    assert findings(a_schema_grant(), a_schema_grant("cron", is_open=True, extension="pg_cron")) == []


def test_a_new_database_is_closed(database: Database) -> None:
    database.execute("CREATE SCHEMA own; GRANT USAGE ON SCHEMA own TO PUBLIC")
    assert look(database, CHECK).result.outcome is Outcome.OK


@pytest.mark.parametrize("monitor", [False, True], ids=["bare", "pg_monitor"])
def test_an_open_schema_is_closed_and_opened_again(database: Database, monitor: bool) -> None:
    database.execute('GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE SCHEMA "Odd ""s"')
    database.execute('GRANT CREATE ON SCHEMA "Odd ""s" TO PUBLIC')
    role = database.create_role(f"{database.name}_looker", pg_monitor=monitor)
    looked = look(database, CHECK, role=role)
    assert looked.targets == ['"Odd ""s"', "public"]
    for found in looked.findings:
        assert_mends(database, CHECK, found, role=role)


def test_a_role_that_migrates_by_everybodys_right_still_can_afterwards(database: Database) -> None:
    """As after an upgrade: the database is a superuser's, its tables are the application's."""
    database.execute("ALTER SCHEMA public OWNER TO postgres; GRANT ALL ON SCHEMA public TO PUBLIC")
    app, named, guest = (database.create_role(f"{database.name}_{name}") for name in ("app", "named", "guest"))
    database.execute(f"GRANT CREATE ON SCHEMA public TO {named}")
    for role in (app, named):
        database.connect(role).execute(f"CREATE TABLE of_{role} (id int)")
    database.execute("CREATE TABLE of_superuser (id int)")
    (found,) = look(database, CHECK).findings
    assert found.fix is not None
    assert found.fix.sql[0] == f"GRANT CREATE ON SCHEMA public TO {app};"
    assert_mends(database, CHECK, found)
    apply(database, found.fix)
    database.connect(app).execute("CREATE TABLE later (id int)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.connect(guest).execute("CREATE TABLE trap (id int)")
