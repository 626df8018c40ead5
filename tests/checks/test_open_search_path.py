from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.open_search_path import check
from dbops.findings.finding import Finding, Kind, Severity, Target
from dbops.findings.report import Outcome
from tests.checks.mending import assert_mends
from tests.looking import apply, look
from tests.security_builders import SERVER, a_function

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "open_search_path"


def findings(**values: Any) -> list[Finding]:
    return list(check((SERVER,), (a_function(**values),)))


def test_the_finding_names_whose_rights_are_at_stake() -> None:
    (found,) = findings()
    assert found.target == Target(Kind.FUNCTION, "public.grant_all(integer)")
    assert found.severity is Severity.WARNING
    assert found.message == (
        "The function runs with the rights of app, and looks up its names on the caller's search path: "
        "a caller can slip in objects of their own."
    )
    assert found.fix is not None
    assert found.fix.sql == ("ALTER FUNCTION public.grant_all(integer) SET search_path = pg_catalog, public, pg_temp;",)
    assert found.fix.undo == ("ALTER FUNCTION public.grant_all(integer) RESET search_path;",)


def test_a_superusers_is_told_as_such() -> None:
    (found,) = findings(owner="postgres", is_owned_by_superuser=True)
    assert "with the rights of postgres, a superuser, and" in found.message


def test_a_procedure_is_altered_as_one() -> None:
    (found,) = findings(kind="p", schema="Odd")
    assert found.fix is not None
    assert found.fix.sql == (
        'ALTER PROCEDURE "Odd".grant_all(integer) SET search_path = pg_catalog, public, "Odd", pg_temp;',
    )


@pytest.mark.parametrize("path", ["public", '"$user", public', '"a, pg_temp", b', 'pg_catalog, "x""y"'])
def test_a_path_without_pg_temp_is_information(path: str) -> None:
    (found,) = findings(search_path=path)
    assert found.severity is Severity.INFO
    assert found.fix is not None
    assert found.fix.sql[0].endswith(f"SET search_path = {path}, pg_temp;")
    assert found.fix.undo[0].endswith(f"SET search_path = {path};")


@pytest.mark.parametrize(
    "values",
    [
        {"search_path": "pg_catalog, public, pg_temp"},
        {"search_path": '""'},
        {"language": "c"},
        {"language": "internal"},
        {"is_parsed": True},
        {"is_callable": False},
    ],
    ids=lambda values: next(iter(values.items())),
)
def test_silent_about(values: dict[str, Any]) -> None:
    assert findings(**values) == []


def test_every_kind_is_found_and_closed(database: Database) -> None:
    database.execute("""
        CREATE SCHEMA "Odd ""s";
        CREATE TYPE "Odd ""s"."T" AS (a int);
        CREATE FUNCTION plain() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION "Odd ""s"."f é"("Odd ""s"."T", VARIADIC b text[], OUT c int) SECURITY DEFINER
            LANGUAGE sql AS 'SELECT 1';
        CREATE PROCEDURE act(INOUT a int, b character varying DEFAULT '') SECURITY DEFINER
            LANGUAGE plpgsql AS 'BEGIN END';
        CREATE FUNCTION watch() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        REVOKE ALL ON FUNCTION watch() FROM PUBLIC;
        CREATE FUNCTION half(int, int) RETURNS int SECURITY DEFINER SET search_path = "$user", "Odd ""s", public
            LANGUAGE sql AS 'SELECT 1';
    """)
    looked = look(database, CHECK, role=database.create_role(f"{database.name}_bare"))
    assert looked.targets == [
        '"Odd ""s"."f é"("Odd ""s"."T", text[])',
        "public.act(integer, character varying)",
        "public.half(integer, integer)",
        "public.plain()",
        "public.watch()",
    ]
    for found in look(database, CHECK).findings:
        assert_mends(database, CHECK, found)
    assert look(database, CHECK).result.outcome is Outcome.OK


def test_a_closed_function_is_not_deceived_any_more(database: Database) -> None:
    database.execute("""
        CREATE TABLE answer AS SELECT 'right' AS text;
        CREATE FUNCTION ask() RETURNS text SECURITY DEFINER LANGUAGE sql AS 'SELECT text FROM answer';
    """)
    caller = database.connect(database.create_role(f"{database.name}_caller"))
    caller.execute("CREATE TEMP TABLE answer AS SELECT 'wrong' AS text; GRANT SELECT ON answer TO PUBLIC")
    assert caller.execute("SELECT ask()").fetchone() == ("wrong",)
    (found,) = look(database, CHECK).findings
    apply(database, found.fix)
    assert caller.execute("SELECT ask()").fetchone() == ("right",)


def test_decoys_stay_silent(database: Database) -> None:
    database.execute("""
        CREATE EXTENSION pg_stat_statements;
        CREATE TABLE t (a int);
        CREATE FUNCTION callers() RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION fixed() RETURNS int SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
            LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION emptied() RETURNS int SECURITY DEFINER SET search_path = '' LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION parsed() RETURNS bigint SECURITY DEFINER LANGUAGE sql
            BEGIN ATOMIC SELECT count(*) FROM t; END;
        CREATE FUNCTION mine() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1';
        REVOKE ALL ON FUNCTION mine() FROM PUBLIC;
    """)
    assert look(database, CHECK).result.outcome is Outcome.OK
