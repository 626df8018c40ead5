from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.overprivileged_role import check
from dbops.findings.finding import Finding, Kind, Severity, Target
from dbops.findings.report import Outcome
from tests.checks.mending import assert_mends
from tests.looking import look
from tests.security_builders import IN_DEVELOPMENT, IN_PRODUCTION, a_reachable_role, a_session

if TYPE_CHECKING:
    from dbops.snapshot.rows import DjangoSettings
    from dbops.snapshot.security_rows import ReachableRole, SessionSecurity
    from tests.servers import Database

CHECK = "overprivileged_role"
IN_DJANGO: dict[str, Any] = {"sections": {"django_settings": IN_PRODUCTION}}


def findings(
    session: SessionSecurity, *reachable: ReachableRole, settings: tuple[DjangoSettings, ...] = IN_PRODUCTION
) -> list[Finding]:
    return list(check((session,), reachable, settings))


def test_a_superuser_is_told_by_that_alone_and_loses_all() -> None:
    (found,) = findings(a_session(is_superuser=True, can_create_roles=True), a_reachable_role())
    assert found.target == Target(Kind.ROLE, "web")
    assert found.severity is Severity.WARNING
    assert found.message == ("The application logs in as web, a superuser: one hole in it opens the whole server.")
    assert found.evidence == {"attributes": "SUPERUSER, CREATEROLE"}
    assert found.fix is not None
    assert found.fix.sql == ("ALTER ROLE web NOSUPERUSER NOCREATEROLE;",)
    assert found.fix.undo == ("ALTER ROLE web SUPERUSER CREATEROLE;",)


def test_initdbs_own_role_stays_what_it_is() -> None:
    (found,) = findings(a_session(role="postgres", is_superuser=True, is_bootstrap=True))
    assert found.fix is None
    assert "cannot be anything less" in found.message


def test_the_attributes_are_named() -> None:
    (found,) = findings(a_session(role="Web App", can_create_roles=True, bypasses_row_security=True))
    assert found.target.name == '"Web App"'
    assert 'role "Web App" has CREATEROLE, BYPASSRLS: so has' in found.message


def test_what_a_membership_leads_to_counts() -> None:
    (found,) = findings(
        a_session(can_replicate=True),
        a_reachable_role(role="root", via="team"),
        a_reachable_role(role="root", via="Ops"),
    )
    assert found.message.startswith(
        "The application's role web has REPLICATION and may become root, which has SUPERUSER: "
    )
    assert found.evidence == {"attributes": "REPLICATION, SUPERUSER", "roles": "root"}
    assert found.fix is not None
    assert found.fix.sql == ("ALTER ROLE web NOREPLICATION;", "REVOKE team FROM web;", 'REVOKE "Ops" FROM web;')
    assert found.fix.undo == ("ALTER ROLE web REPLICATION;", "GRANT team TO web;", 'GRANT "Ops" TO web;')


def test_in_development_it_is_information() -> None:
    (found,) = findings(a_session(is_superuser=True), settings=IN_DEVELOPMENT)
    assert found.severity is Severity.INFO


def test_silent_about_an_ordinary_role() -> None:
    assert findings(a_session()) == []


def test_a_person_who_looks_is_no_application(database: Database) -> None:
    assert look(database, CHECK).result.outcome is Outcome.SKIPPED


def test_an_ordinary_role_is_fine(database: Database) -> None:
    role = database.create_role(f"{database.name}_web", pg_monitor=True)
    database.execute(f"ALTER ROLE {role} CREATEDB")
    assert look(database, CHECK, role=role, **IN_DJANGO).result.outcome is Outcome.OK


@pytest.mark.parametrize("attribute", ["SUPERUSER", "CREATEROLE", "BYPASSRLS", "REPLICATION"])
def test_an_attribute_is_taken_and_given_back(database: Database, attribute: str) -> None:
    role = database.create_role(f"{database.name} Wéb")
    database.execute(f'ALTER ROLE "{role}" {attribute}')
    (found,) = look(database, CHECK, role=role, **IN_DJANGO).findings
    assert found.target.name == f'"{role}"'
    assert found.evidence == {"attributes": attribute}
    assert_mends(database, CHECK, found, role=role, **IN_DJANGO)


def test_a_superuser_behind_two_memberships_is_found(database: Database) -> None:
    web, team, admin = (database.create_role(f"{database.name}_{name}") for name in ("web", "team", "admin"))
    database.execute(f"ALTER ROLE {admin} SUPERUSER; GRANT {admin} TO {team}; GRANT {team} TO {web}")
    (found,) = look(database, CHECK, role=web, **IN_DJANGO).findings
    assert found.fix is not None
    assert found.fix.sql == (f"REVOKE {team} FROM {web};",)
    connection = database.connect(web)
    connection.execute(f"SET ROLE {admin}")
    connection.close()
    assert_mends(database, CHECK, found, role=web, **IN_DJANGO)


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_membership_that_does_not_let_one_become_the_other_gives_nothing(database: Database) -> None:
    web, admin = (database.create_role(f"{database.name}_{name}") for name in ("web", "admin"))
    database.execute(f"ALTER ROLE {admin} SUPERUSER; GRANT {admin} TO {web} WITH SET FALSE")
    assert look(database, CHECK, role=web, **IN_DJANGO).result.outcome is Outcome.OK


def test_a_role_set_on_the_way_in_does_not_hide_who_logged_in(database: Database) -> None:
    """Django's assume_role: RESET ROLE leads back."""
    web, admin = (database.create_role(f"{database.name}_{name}") for name in ("web", "admin"))
    database.execute(f"ALTER ROLE {admin} SUPERUSER; ALTER ROLE {admin} SET role = {web}")
    assert look(database, CHECK, role=admin, **IN_DJANGO).targets == [admin]
