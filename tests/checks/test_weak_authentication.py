from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.weak_authentication import check
from dbops.findings.finding import Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.setting_rows import Setting
from tests.checks.mending import assert_mends
from tests.looking import look
from tests.security_builders import IN_DEVELOPMENT, SERVER, a_password, a_rule

if TYPE_CHECKING:
    from dbops.snapshot.security_rows import HostRule
    from tests.servers import Database

CHECK = "weak_authentication"
LOOPBACK = {"address": "127.0.0.1", "netmask": "255.255.255.255"}
LOOPBACK_6 = {"address": "::1", "netmask": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}


def a_setting(name: str, value: str, source: str = "configuration file") -> Setting:
    return Setting(name=name, value=value, source=source, context="user")


def said(
    *rules: HostRule,
    listens: str = "*",
    socket: str = "0777",
    encryption: str = "scram-sha-256",
    **sections: Any,
) -> list[Finding | Unseen]:
    settings = (
        a_setting("listen_addresses", listens),
        a_setting("unix_socket_permissions", socket),
        a_setting("password_encryption", encryption),
    )
    sections = {"host_rules": rules, "role_passwords": (), **sections}
    return list(check((SERVER,), settings, **sections))


def finding(*rules: HostRule, **options: Any) -> Finding:
    (found,) = said(*rules, **options)
    assert isinstance(found, Finding)
    return found


def test_trust_over_the_network_is_critical() -> None:
    found = finding(a_rule(line=3, method="trust"), a_rule(line=4, **LOOPBACK, type="hostssl", method="trust"))
    assert found.target == Target(Kind.SETTING, "hba_file")
    assert found.severity is Severity.CRITICAL
    assert found.message == (
        "pg_hba.conf lets whoever reaches the server over the network log in without a password, "
        "by line 3 (host all all all trust)."
    )
    assert found.evidence == {"network_lines": 1, "machine_lines": 0}


@pytest.mark.parametrize(
    "address",
    [
        {"address": "0.0.0.0", "netmask": "0.0.0.0"},  # noqa: S104
        {"address": "::", "netmask": "::"},
        {"address": "127.0.0.0", "netmask": "254.0.0.0"},
        {"address": "10.0.0.0", "netmask": "255.0.0.0"},
        {"address": "samenet"},
        {"address": ".example.org"},
    ],
    ids=lambda values: values["address"],
)
def test_addresses_beyond_the_machine(address: dict[str, Any]) -> None:
    assert finding(a_rule(method="trust", **address)).severity is Severity.CRITICAL


@pytest.mark.parametrize(
    "values",
    [
        {"type": "local", "address": None},
        LOOPBACK,
        LOOPBACK_6,
        {"address": "127.0.0.0", "netmask": "255.0.0.0"},
        {"address": "localhost"},
        {"address": "samehost"},
    ],
    ids=lambda values: values["address"],
)
def test_trust_on_the_machine_itself_is_information(values: dict[str, Any]) -> None:
    found = finding(a_rule(method="trust", **values))
    assert found.severity is Severity.INFO
    assert "whoever has an account on the server's machine" in found.message


def test_a_server_that_listens_on_the_machine_alone_is_not_reached_over_the_network() -> None:
    assert finding(a_rule(method="trust"), listens="localhost, ::1").severity is Severity.INFO


def test_replication_is_not_covered_by_a_line_for_all_databases() -> None:
    found = finding(a_rule(), a_rule(line=2, databases=("replication",), method="trust"))
    assert found.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    "rules",
    [
        [a_rule()],
        [a_rule(method="md5")],
        [a_rule(method="trust", error="invalid authentication method")],
        [a_rule(method="trust", type="hostssl", options=("clientcert=verify-full",))],
        [a_rule(method="reject"), a_rule(line=2, method="trust")],
        [a_rule(), a_rule(line=2, type="hostssl", users=("bob",), databases=("shop",), method="trust")],
    ],
    ids=["password", "md5 takes scram too", "unusable", "certificate", "refused before", "asked before"],
)
def test_silent_about(rules: list[HostRule]) -> None:
    assert said(*rules) == []


@pytest.mark.parametrize(
    "earlier",
    [{"users": ("bob",)}, {"databases": ("shop",)}, {"type": "hostssl"}, LOOPBACK, {"error": "broken"}],
    ids=lambda values: next(iter(values)),
)
def test_an_earlier_line_for_some_does_not_protect_the_others(earlier: dict[str, Any]) -> None:
    assert said(a_rule(**earlier), a_rule(line=2, method="trust"))


def test_lines_that_nobody_can_meet_are_silent() -> None:
    assert said(a_rule(method="trust"), listens="") == []
    assert said(a_rule(method="trust", type="local", address=None), socket="0700") == []


def test_md5_is_told_by_role_and_by_setting() -> None:
    found = said(encryption="md5", role_passwords=(a_password(), a_password("Old", "md5"), a_password("new", None)))
    assert [str(one.target) for one in found] == ["password_encryption", '"Old"']
    assert all(isinstance(one, Finding) and one.severity is Severity.WARNING for one in found)


def test_in_development_all_is_information() -> None:
    found = said(
        a_rule(method="trust"),
        encryption="md5",
        role_passwords=(a_password(kind="md5"),),
        django_settings=IN_DEVELOPMENT,
    )
    assert [one.severity for one in found if isinstance(one, Finding)] == [Severity.INFO] * 3


def test_what_a_role_may_not_see_is_said() -> None:
    unseen = said(host_rules=None, role_passwords=None)
    assert [one.target for one in unseen if isinstance(one, Unseen)] == ["pg_hba.conf", "pg_authid"]


@pytest.mark.parametrize("source", ["command line", "client"])
def test_what_no_statement_changes_has_no_fix(source: str) -> None:
    settings = (a_setting("password_encryption", "md5", source),)
    (found,) = check((SERVER,), settings, (), ())
    assert isinstance(found, Finding)
    assert found.fix is None


def test_where_it_was_set_for_all_it_is_changed_for_all() -> None:
    found = finding(encryption="md5")
    assert found.fix is not None
    assert found.fix.sql == (
        "ALTER SYSTEM SET password_encryption = 'scram-sha-256';",
        "SELECT pg_reload_conf();",
    )
    assert not found.fix.in_transaction


@pytest.mark.parametrize(
    ("source", "place", "who"),
    [
        ("database", "DATABASE shop", ", and needs the database's owner"),
        ("user", "ROLE login", ""),
        ("database user", "ROLE login IN DATABASE shop", ""),
        ("global", "ROLE ALL", ", and needs a superuser"),
    ],
)
def test_what_was_said_for_whoever_logged_in_is_taken_back(source: str, place: str, who: str) -> None:
    server = replace(SERVER, role="boss", session_role="login")
    (found,) = check((server,), (a_setting("password_encryption", "md5", source),), (), ())
    assert isinstance(found, Finding)
    assert found.fix is not None
    assert found.fix.sql == (f"ALTER {place} RESET password_encryption;",)
    assert found.fix.undo == (f"ALTER {place} SET password_encryption = md5;",)
    assert found.fix.caution == f"holds for new sessions{who}"


# On real servers: those of the tests listen on a private socket alone.


def test_a_server_behind_a_private_socket_is_fine(database: Database) -> None:
    database.create_role(f"{database.name}_scram")
    database.execute(f"ALTER ROLE {database.name}_scram PASSWORD 'secret'")
    assert look(database, CHECK).result.outcome is Outcome.OK


def test_an_md5_password_is_found_and_gone_once_it_was_set_again(database: Database) -> None:
    role = database.create_role(f"{database.name} Öld")
    database.execute("SET password_encryption = md5")
    database.execute(f"""ALTER ROLE "{role}" PASSWORD 'secret'""")
    assert look(database, CHECK).targets == [f'"{role}"']
    database.execute("RESET password_encryption")
    database.execute(f"""ALTER ROLE "{role}" PASSWORD 'secret'""")
    assert look(database, CHECK).targets == []


@pytest.mark.parametrize("place", ["DATABASE {database}", "ROLE {role}", "ROLE {role} IN DATABASE {database}"])
@pytest.mark.parametrize("is_assumed", [False, True], ids=["itself", "assumed role"])
def test_md5_for_new_passwords_is_changed_where_it_was_set(database: Database, place: str, is_assumed: bool) -> None:
    role = database.create_role(f"{database.name}_web")
    if is_assumed:  # as by Django's assume_role
        boss = database.create_role(f"{database.name}_boss", login=False)
        database.execute(f"GRANT {boss} TO {role}")
        database.execute(f"ALTER ROLE {role} SET role = {boss}")
    place = place.format(database=database.name, role=role)
    database.execute(f"ALTER {place} SET password_encryption = md5")
    (found,) = look(database, CHECK, role=role).findings
    assert found.target == Target(Kind.SETTING, "password_encryption")
    assert_mends(database, CHECK, found, role=role)


@pytest.mark.parametrize("monitor", [False, True], ids=["bare", "pg_monitor"])
def test_a_role_without_rights_says_so(database: Database, monitor: bool) -> None:
    role = database.create_role(f"{database.name}_looker", pg_monitor=monitor)
    result = look(database, CHECK, role=role).result
    assert result.outcome is Outcome.SKIPPED
    assert result.reason is not None
    assert "GRANT EXECUTE ON FUNCTION pg_hba_file_rules()" in result.reason


def test_a_role_that_was_granted_them_sees_the_rules(database: Database) -> None:
    role = database.create_role(f"{database.name}_looker")
    database.execute(f"GRANT SELECT ON pg_hba_file_rules TO {role}")
    database.execute(f"GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO {role}")
    result = look(database, CHECK, role=role).result
    assert result.reason is not None
    assert "pg_hba.conf" not in result.reason


def test_trust_is_found_in_a_real_file(database: Database) -> None:
    """The lines are the server's own; where it listens is told otherwise, for it listens nowhere."""
    listens = (a_setting("listen_addresses", "*"), a_setting("unix_socket_permissions", "0777"))
    (found,) = look(database, CHECK, sections={"settings": listens}).findings
    assert found.target.name == "hba_file"
    assert found.evidence["machine_lines"]
