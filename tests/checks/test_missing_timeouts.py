from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings

from dbops.checks.missing_timeouts import check
from dbops.diagnose import diagnose_alias
from dbops.findings.finding import Finding, Kind, Severity, Target
from dbops.findings.report import Outcome
from dbops.snapshot.rows import DjangoSettings
from tests.checks.mending import assert_mends
from tests.looking import look
from tests.security_builders import SESSION
from tests.setting_builders import a_server, a_setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.servers import Database

CHECK = "missing_timeouts"
STATEMENT, LOCK, IDLE = "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"


def django(*, debug: bool = False) -> tuple[DjangoSettings]:
    return (DjangoSettings(use_tz=True, debug=debug),)


def findings(values: Mapping[str, str] | None = None, *, debug: bool = False, source: str = "default") -> list[Finding]:
    """What is said of a session with these limits, 0 where none is named."""
    given = {STATEMENT: "0", LOCK: "0", IDLE: "0", **(values or {})}
    rows = tuple(a_setting(name, value, source=source) for name, value in given.items())
    return list(check(rows, a_server(), (SESSION,), django(debug=debug)))


def test_a_role_without_limits_is_told_once_with_all_that_is_missing() -> None:
    (found,) = findings()
    assert found.target == Target(Kind.ROLE, "web")
    assert found.severity is Severity.WARNING
    assert found.evidence == {"missing": f"{STATEMENT}, {LOCK}, {IDLE}"}
    assert found.message.startswith(f"web has no {STATEMENT}, {LOCK} and {IDLE}: a bad statement runs on after")
    assert found.fix is not None
    assert found.fix.sql == (
        f"ALTER ROLE web IN DATABASE shop SET {STATEMENT} = '30s';",
        f"ALTER ROLE web IN DATABASE shop SET {LOCK} = '10s';",
        f"ALTER ROLE web IN DATABASE shop SET {IDLE} = '60s';",
    )
    assert found.fix.undo[0] == f"ALTER ROLE web IN DATABASE shop RESET {STATEMENT};"


def test_a_role_is_named_as_sql_would_name_it() -> None:
    settings = tuple(a_setting(name, "0", source="default") for name in (STATEMENT, LOCK, IDLE))
    (found,) = check(settings, a_server(), (replace(SESSION, role="Web App"),), django())
    assert found.target == Target(Kind.ROLE, '"Web App"')


def test_in_development_it_is_only_mentioned() -> None:
    (found,) = findings(debug=True)
    assert found.severity is Severity.INFO


def test_only_what_is_missing_is_told() -> None:
    (found,) = findings({STATEMENT: "30000"})
    assert (found.evidence, found.severity) == ({"missing": IDLE}, Severity.WARNING)


def test_a_wait_for_a_lock_that_the_statements_limit_ends_is_only_mentioned() -> None:
    (found,) = findings({STATEMENT: "30000", IDLE: "60000"})
    assert (found.evidence, found.severity) == ({"missing": LOCK}, Severity.INFO)


def test_transaction_timeout_ends_the_others_but_a_wait_for_a_lock_is_mentioned() -> None:
    (found,) = findings({"transaction_timeout": "60000"})
    assert (found.evidence, found.severity) == ({"missing": LOCK}, Severity.INFO)


@pytest.mark.parametrize("source", ["client", "user", "database", "database user", "global"])
def test_what_somebody_set_to_0_was_decided(source: str) -> None:
    assert findings(source=source) == []


def test_a_role_with_all_limits_is_fine() -> None:
    assert findings({STATEMENT: "1", LOCK: "1", IDLE: "1"}) == []


def test_the_limits_are_given_to_the_role_and_taken_back(database: Database) -> None:
    role = database.create_role(f"{database.name} Web")
    options: dict[str, Any] = {"role": role, "sections": {"django_settings": django()}}
    (found,) = look(database, CHECK, **options).findings
    assert (found.target.name, found.severity) == (f'"{role}"', Severity.WARNING)
    assert_mends(database, CHECK, found, **options)


def test_a_limit_of_the_server_or_the_database_holds_for_the_role(database: Database) -> None:
    role = database.create_role(f"{database.name}_web")
    for name in (STATEMENT, LOCK, IDLE):
        database.execute(f"ALTER DATABASE {database.name} SET {name} = '1min'")
    assert look(database, CHECK, role=role, sections={"django_settings": django()}).findings == []


def test_without_django_it_is_not_known_who_the_application_is(database: Database) -> None:
    assert look(database, CHECK).result.outcome is Outcome.SKIPPED


@pytest.mark.django_db(transaction=True)
def test_what_djangos_own_options_say_counts() -> None:
    options = connection.settings_dict["OPTIONS"]
    assert "statement_timeout=0" in settings.DATABASES["default"]["OPTIONS"]["options"]
    given = options["options"]
    try:
        assert diagnose_alias("default", only=[CHECK]).findings == ()
        options["options"] = "-c statement_timeout=30s"
        (found,) = diagnose_alias("default", only=[CHECK]).findings
        assert (found.evidence["missing"], found.severity) == (IDLE, Severity.WARNING)
        with override_settings(DEBUG=True):
            (found,) = diagnose_alias("default", only=[CHECK]).findings
        assert found.severity is Severity.INFO
    finally:
        options["options"] = given
