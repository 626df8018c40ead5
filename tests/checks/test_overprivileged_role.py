from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.errors import InsufficientPrivilege

from dbops.checks.overprivileged_role import check
from dbops.findings.finding import Finding, Kind, Severity, Target
from dbops.findings.report import Outcome
from tests.checks.mending import assert_mends
from tests.looking import apply, look, undo
from tests.security_builders import IN_DEVELOPMENT, IN_PRODUCTION, a_reachable_role, a_session
from tests.setting_builders import a_server

if TYPE_CHECKING:
    from dbops.snapshot.rows import DjangoSettings
    from dbops.snapshot.security_rows import ReachableRole, SessionSecurity
    from tests.servers import Database

CHECK = "overprivileged_role"
IN_DJANGO: dict[str, Any] = {"sections": {"django_settings": IN_PRODUCTION}}


def findings(
    session: SessionSecurity,
    *reachable: ReachableRole,
    settings: tuple[DjangoSettings, ...] = IN_PRODUCTION,
    provider: str | None = None,
) -> list[Finding]:
    return list(check((session,), reachable, settings, a_server(provider=provider)))


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
    assert 'role "Web App" has CREATEROLE, BYPASSRLS: so may' in found.message


def test_what_a_membership_leads_to_counts() -> None:
    (found,) = findings(
        a_session(can_replicate=True),
        a_reachable_role(role="root", via="team", is_admin=True),
        a_reachable_role(role="root", via="Ops", can_set=False, grantor="The boss"),
    )
    assert found.message.startswith(
        "The application's role web has REPLICATION and may become root, which has SUPERUSER: "
    )
    assert found.evidence == {"attributes": "REPLICATION, SUPERUSER", "roles": "root"}
    assert found.fix is not None
    assert found.fix.sql == (
        "ALTER ROLE web NOREPLICATION;",
        "REVOKE team FROM web GRANTED BY postgres;",
        'REVOKE "Ops" FROM web GRANTED BY "The boss";',
    )
    assert found.fix.undo == (
        "ALTER ROLE web REPLICATION;",
        "GRANT team TO web WITH ADMIN TRUE, INHERIT TRUE, SET TRUE GRANTED BY postgres;",
        'GRANT "Ops" TO web WITH ADMIN FALSE, INHERIT TRUE, SET FALSE GRANTED BY "The boss";',
    )
    assert found.fix.caution is not None
    assert "revoke that first" in found.fix.caution


def test_before_16_a_grant_has_no_options_but_one() -> None:
    plain: dict[str, Any] = {"grantor": None, "inherits": None, "can_set": None}
    (found,) = findings(
        a_session(), a_reachable_role(via="team", **plain), a_reachable_role(via="ops", is_admin=True, **plain)
    )
    assert found.fix is not None
    assert found.fix.sql == ("REVOKE team FROM web;", "REVOKE ops FROM web;")
    assert found.fix.undo == ("GRANT team TO web;", "GRANT ops TO web WITH ADMIN OPTION;")


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("pg_execute_server_program", "may run programs on the server"),
        ("pg_write_server_files", "may write the server's files"),
        ("pg_read_server_files", "may read the server's files"),
    ],
)
def test_a_hand_on_the_server_itself_counts(role: str, may: str) -> None:
    shell = a_reachable_role(role=role, via=role, is_superuser=False)
    (found,) = findings(a_session(), shell, replace(shell, grantor="boss"))
    assert (
        found.message == f"The application's role web {may} ({role}): so may whoever finds a hole in the application."
    )
    assert found.evidence == {"roles": role}
    assert found.fix is not None
    assert found.fix.sql == (f"REVOKE {role} FROM web GRANTED BY postgres;", f"REVOKE {role} FROM web GRANTED BY boss;")


def test_a_providers_administrator_is_not_stripped_but_replaced() -> None:
    (found,) = findings(a_session(can_create_roles=True), a_reachable_role(), provider="rds")
    assert found.message.endswith(" On Amazon RDS give it a role of its own, which owns its tables.")
    assert found.fix is None


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
    by = " GRANTED BY postgres" if database.major >= 16 else ""
    assert found.fix.sql == (f"REVOKE {team} FROM {web}{by};",)
    connection = database.connect(web)
    connection.execute(f"SET ROLE {admin}")
    connection.close()
    assert_mends(database, CHECK, found, role=web, **IN_DJANGO)


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_membership_that_does_not_let_one_become_the_other_gives_nothing(database: Database) -> None:
    web, admin = (database.create_role(f"{database.name}_{name}") for name in ("web", "admin"))
    database.execute(f"ALTER ROLE {admin} SUPERUSER; GRANT {admin} TO {web} WITH SET FALSE")
    assert look(database, CHECK, role=web, **IN_DJANGO).result.outcome is Outcome.OK


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_role_that_may_let_itself_become_another_has_what_that_one_has(database: Database) -> None:
    web, risky, admin = (database.create_role(f"{database.name}_{name}") for name in ("web", "risky", "admin"))
    database.execute(f"ALTER ROLE {risky} CREATEROLE; ALTER ROLE {admin} SUPERUSER")
    database.execute(f"GRANT {risky} TO {web} WITH ADMIN TRUE, SET FALSE, INHERIT FALSE")
    # Only a superuser makes others a superuser's members.
    database.execute(f"GRANT {admin} TO {web} WITH ADMIN TRUE, SET FALSE")
    (found,) = look(database, CHECK, role=web, **IN_DJANGO).findings
    assert found.evidence == {"attributes": "CREATEROLE", "roles": risky}
    assert_mends(database, CHECK, found, role=web, **IN_DJANGO)
    undo(database, found.fix)
    connection = database.connect(web)
    with pytest.raises(InsufficientPrivilege):
        connection.execute(f"GRANT {admin} TO {web} WITH SET TRUE")
    connection.execute(f"GRANT {risky} TO {web} WITH SET TRUE")
    connection.execute(f"SET ROLE {risky}")


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_an_inherited_admin_option_leads_there_too(database: Database) -> None:
    web, team, risky = (database.create_role(f"{database.name}_{name}") for name in ("web", "team", "risky"))
    database.execute(f"ALTER ROLE {risky} BYPASSRLS; GRANT {risky} TO {team} WITH ADMIN TRUE, SET FALSE")
    database.execute(f"GRANT {team} TO {web} WITH SET FALSE, INHERIT TRUE")
    (found,) = look(database, CHECK, role=web, **IN_DJANGO).findings
    assert found.evidence == {"attributes": "BYPASSRLS", "roles": risky}
    assert_mends(database, CHECK, found, role=web, **IN_DJANGO)
    undo(database, found.fix)
    connection = database.connect(web)
    connection.execute(f"GRANT {risky} TO {web} WITH SET TRUE")
    connection.execute(f"SET ROLE {risky}")


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_what_an_inherited_role_may_become_is_not_what_its_heirs_may(database: Database) -> None:
    web, team, risky = (database.create_role(f"{database.name}_{name}") for name in ("web", "team", "risky"))
    database.execute(f"ALTER ROLE {risky} BYPASSRLS; GRANT {risky} TO {team}")
    database.execute(f"GRANT {team} TO {web} WITH SET FALSE, INHERIT TRUE")
    assert look(database, CHECK, role=web, **IN_DJANGO).result.outcome is Outcome.OK
    with pytest.raises(InsufficientPrivilege):
        database.connect(web).execute(f"SET ROLE {risky}")


@pytest.mark.parametrize("role", ["pg_execute_server_program", "pg_write_server_files", "pg_read_server_files"])
def test_a_hand_on_the_server_is_found_behind_a_membership(database: Database, role: str) -> None:
    web, team = database.create_role(f"{database.name}_web"), database.create_role(f"{database.name}_team")
    database.execute(f"GRANT {role} TO {team}; GRANT {team} TO {web}")
    (found,) = look(database, CHECK, role=web, **IN_DJANGO).findings
    assert f"({role})" in found.message
    assert_mends(database, CHECK, found, role=web, **IN_DJANGO)


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_right_that_is_only_inherited_is_found_and_one_that_is_not_is_no_right(database: Database) -> None:
    web = database.create_role(f"{database.name}_web")
    database.execute(f"GRANT pg_execute_server_program TO {web} WITH INHERIT FALSE, SET FALSE")
    assert look(database, CHECK, role=web, **IN_DJANGO).result.outcome is Outcome.OK
    database.execute(f"GRANT pg_execute_server_program TO {web} WITH INHERIT TRUE, SET FALSE")
    assert look(database, CHECK, role=web, **IN_DJANGO).targets == [web]
    database.connect(web).execute("COPY (SELECT 1) TO PROGRAM 'cat >/dev/null'")


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_what_several_have_granted_is_taken_back_from_each(database: Database) -> None:
    web, team, boss = (database.create_role(f"{database.name}_{name}") for name in ("web", "team", "The boss"))
    database.execute(f"ALTER ROLE {team} REPLICATION")
    database.execute(f'GRANT {team} TO "{boss}" WITH ADMIN OPTION')
    database.execute(f'GRANT {team} TO {web} WITH INHERIT FALSE GRANTED BY "{boss}"')
    database.execute(f"GRANT {team} TO {web} WITH ADMIN TRUE, SET FALSE")
    (found,) = look(database, CHECK, role=web, **IN_DJANGO).findings
    assert found.fix is not None
    assert len(found.fix.sql) == 2
    granted = (
        "SELECT pg_get_userbyid(grantor), admin_option, inherit_option, set_option FROM pg_auth_members "
        "WHERE member = %s::regrole ORDER BY 1"
    )
    before = database.execute(granted, web)
    assert_mends(database, CHECK, found, role=web, **IN_DJANGO)
    assert database.execute(granted, web) == []
    undo(database, found.fix)
    assert database.execute(granted, web) == before
    apply(database, found.fix)


def test_a_providers_administrator_is_told_to_stand_aside(database: Database) -> None:
    web, group = database.create_role(f"{database.name}_web"), database.create_role("rds_superuser", login=False)
    database.execute(f"ALTER ROLE {web} CREATEROLE; GRANT {group} TO {web}")
    (found,) = look(database, CHECK, role=web, **IN_DJANGO).findings
    assert found.fix is None
    assert "On Amazon RDS give it a role of its own" in found.message


def test_a_role_set_on_the_way_in_does_not_hide_who_logged_in(database: Database) -> None:
    """Django's assume_role: RESET ROLE leads back."""
    web, admin = (database.create_role(f"{database.name}_{name}") for name in ("web", "admin"))
    database.execute(f"ALTER ROLE {admin} SUPERUSER; ALTER ROLE {admin} SET role = {web}")
    assert look(database, CHECK, role=admin, **IN_DJANGO).targets == [admin]
