from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.weak_row_security import check
from dbops.findings.finding import Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.security_rows import Policy, RowSecurity
from tests.builders import a_schema, a_table
from tests.checks.mending import assert_mends
from tests.looking import look
from tests.security_builders import IN_DEVELOPMENT, IN_PRODUCTION, a_policy, a_row_security
from tests.setting_builders import a_server

if TYPE_CHECKING:
    from dbops.snapshot.rows import DjangoSettings
    from tests.servers import Database

CHECK = "weak_row_security"
IN_DJANGO: dict[str, Any] = {"sections": {"django_settings": IN_PRODUCTION}}
SETTING = "current_setting('app.user'::text)"
NOTE = """
    CREATE TABLE note (id int, owner text);
    INSERT INTO note VALUES (1, 'ann'), (2, 'bob');
    GRANT ALL ON note TO PUBLIC;
"""


def said(*objects: Any, settings: tuple[DjangoSettings, ...] | None = IN_PRODUCTION) -> list[Finding | Unseen]:
    """What is said of the tables (table 1 unless others are given), policies and row-level security in `objects`."""
    tables = [one for one in objects if not isinstance(one, (Policy, RowSecurity))]
    security = tuple(one for one in objects if isinstance(one, RowSecurity))
    policies = tuple(one for one in objects if isinstance(one, Policy))
    schema = a_schema(*(tables or [a_table()]))
    return list(check(schema, security or (a_row_security(),), policies, a_server(), settings))


def finding(*objects: Any, **options: Any) -> Finding:
    (found,) = said(*objects, **options)
    assert isinstance(found, Finding)
    return found


def test_policies_without_row_level_security() -> None:
    found = finding(a_row_security(is_enabled=False), a_policy(), a_policy("other", using="true"))
    assert found.target == Target(Kind.TABLE, "public.task")
    assert found.severity is Severity.WARNING
    assert found.message == (
        "Its 2 policies mean nothing, for row-level security is off: whoever was granted the table has all its rows."
    )
    assert found.fix is not None
    assert found.fix.caution is not None


def test_those_of_partitions_are_told_with_their_table() -> None:
    found = finding(
        a_table(kind="p"),
        a_table(2, "task_1", is_partition=True, parent_oid=1),
        a_row_security(),
        a_row_security(2, is_enabled=False),
        a_policy(),
        a_policy(table_oid=2),
    )
    assert (found.target.name, found.rolled_up) == ("public.task", ("public.task_1",))
    assert found.message.startswith("1 policy of public.task_1 means nothing, for row-level security is off")
    assert found.fix is not None
    assert found.fix.sql == ("ALTER TABLE public.task_1 ENABLE ROW LEVEL SECURITY;",)


def test_an_owner_passes_by_the_policies() -> None:
    found = finding(a_row_security(is_own=True), a_policy())
    assert found.target == Target(Kind.TABLE, "public.task")
    assert found.severity is Severity.WARNING
    assert found.message.startswith("No policy holds for web, as which the application works: an owner passes by them")
    assert found.fix is not None
    assert found.fix.sql == ("ALTER TABLE public.task FORCE ROW LEVEL SECURITY;",)
    assert found.fix.undo == ("ALTER TABLE public.task NO FORCE ROW LEVEL SECURITY;",)
    assert found.fix.caution is not None
    assert "in migrations as well" in found.fix.caution
    assert finding(a_row_security(is_own=True), a_policy(), settings=IN_DEVELOPMENT).severity is Severity.INFO


def test_partitions_whose_policies_an_owner_passes_by_are_told_with_their_table() -> None:
    found = finding(
        a_table(kind="p"),
        a_table(2, "task_1", is_partition=True, parent_oid=1),
        a_row_security(is_forced=True, is_own=True),
        a_row_security(2, is_own=True),
        a_policy(),
        a_policy(table_oid=2),
    )
    assert (found.target.name, found.rolled_up) == ("public.task", ("public.task_1",))
    assert found.message.startswith("No policy of public.task_1 holds for web")


@pytest.mark.parametrize(
    ("security", "policy", "settings"),
    [
        ({}, {}, IN_PRODUCTION),
        ({"is_own": True, "is_forced": True}, {}, IN_PRODUCTION),
        ({"is_own": True}, {"roles": ("reader",), "is_for_us": False}, IN_PRODUCTION),
        ({"is_own": True}, {"command": "r", "using": "true"}, IN_PRODUCTION),
        ({"is_own": True}, {}, None),
    ],
    ids=["another's", "forced", "policies for others", "open to all", "by DSN"],
)
def test_silent_about_owners(security: Any, policy: Any, settings: Any) -> None:
    assert said(a_row_security(**security), a_policy(**policy), settings=settings) == []


@pytest.mark.parametrize(("is_forced", "whom"), [(False, "nobody but its owner"), (True, "not even its owner")])
def test_row_level_security_without_a_policy(is_forced: bool, whom: str) -> None:
    found = finding(
        a_table(), a_table(2, "b"), a_row_security(is_forced=is_forced), a_row_security(2), a_policy(table_oid=2)
    )
    assert found.target == Target(Kind.TABLE, "public.task")
    assert found.severity is Severity.INFO
    assert whom in found.message


@pytest.mark.parametrize("command", ["*", "w", "d"])
def test_an_always_true_policy_to_change_rows(command: str) -> None:
    found = finding(a_policy(command=command, using="true"))
    assert found.target == Target(Kind.POLICY, "public.task.own")
    assert found.severity is Severity.WARNING
    assert found.message.startswith("The policy admits every row to everybody, FOR ")
    assert found.fix is None


@pytest.mark.parametrize(
    ("policy", "create"),
    [
        ({"command": "r", "using": "true"}, "FOR SELECT USING (true)"),
        ({"command": "a", "using": None, "with_check": "true"}, "FOR INSERT WITH CHECK (true)"),
        ({"command": "*", "using": "true", "with_check": "(a > 1)"}, "FOR ALL USING (true) WITH CHECK ((a > 1))"),
    ],
)
def test_one_that_makes_others_useless_is_dropped(policy: dict[str, Any], create: str) -> None:
    found = finding(a_policy("Every one", **policy), a_policy("own"), a_policy("gone", command="d", using="(b = 1)"))
    assert found.target.name == 'public.task."Every one"'
    assert "so that own" in found.message
    assert found.fix is not None
    assert found.fix.sql == ('DROP POLICY "Every one" ON public.task;',)
    assert found.fix.undo == (f'CREATE POLICY "Every one" ON public.task {create};',)


def test_a_check_that_lets_rows_become_anybodys() -> None:
    found = finding(a_policy(using="(a = 1)", with_check="true"))
    assert found.severity is Severity.WARNING
    assert found.fix is not None
    assert found.fix.sql == ("ALTER POLICY own ON public.task WITH CHECK ((a = 1));",)
    assert found.fix.undo == ("ALTER POLICY own ON public.task WITH CHECK (true);",)


def test_a_call_for_every_row_is_information() -> None:
    found = finding(a_policy(using=f"(a = {SETTING})"))
    assert (found.severity, found.confidence) == (Severity.INFO, Confidence.MEDIUM)
    assert f"{SETTING} is called for every row" in found.message
    assert found.evidence == {"rows": 1000}
    assert found.fix is not None
    assert found.fix.sql == (f"ALTER POLICY own ON public.task USING ((a = (SELECT {SETTING})));",)


@pytest.mark.parametrize(
    "policies",
    [
        [a_policy()],
        [a_policy(using="true", roles=("admin",)), a_policy("b")],
        [a_policy(using="true"), a_policy("narrow", is_permissive=False)],
        [a_policy(using="true", is_permissive=False), a_policy("b")],
        [a_policy(command="r", using="true")],
        [a_policy(command="r", using="true"), a_policy("b", command="w")],
        [a_policy(command="r", using="true"), a_policy("b", command="r", using="true")],
        [a_policy(command="a", using=None, with_check="true")],
        [a_policy(using=f"(a = ( SELECT {SETTING} AS current_setting))")],
        [a_policy(command="a", using=None, with_check=f"(a = {SETTING})")],
    ],
    ids=[
        "condition",
        "named roles",
        "narrowed",
        "restrictive",
        "read",
        "read and change",
        "read twice",
        "add",
        "sub-select",
        "new row",
    ],
)
def test_silent_about(policies: list[Policy]) -> None:
    assert said(*policies) == []


def test_silent_where_nobody_uses_policies() -> None:
    assert said(a_row_security()) == []


def test_silent_about_a_partition_that_nobody_is_to_read_by_itself() -> None:
    partition = a_table(2, "task_1", is_partition=True, parent_oid=1)
    assert said(a_table(kind="p"), partition, a_row_security(), a_row_security(2), a_policy()) == []


def test_silent_about_tables_of_extensions() -> None:
    assert said(a_table(extension="pg_cron"), a_row_security(is_enabled=False), a_policy()) == []


def test_a_locked_table_is_unseen() -> None:
    assert said(a_policy(is_readable=False, using=None)) == [Unseen("public.task.own", "locked by another session")]


# On real servers.


def test_policies_come_into_force(database: Database) -> None:
    database.execute(NOTE)
    database.execute("CREATE POLICY own ON note USING (owner = 'ann')")
    reader = database.create_role(f"{database.name}_reader")
    connection = database.connect(reader)
    assert connection.execute("SELECT count(*) FROM note").fetchone() == (2,)
    (found,) = look(database, CHECK, role=reader).findings
    assert found.target.name == "public.note"
    assert_mends(database, CHECK, found, role=reader)
    assert connection.execute("SELECT count(*) FROM note").fetchone() == (1,)


@pytest.mark.parametrize("is_member", [False, True], ids=["owner", "member of the owner"])
def test_policies_hold_for_the_owner_too(database: Database, is_member: bool) -> None:
    database.execute(NOTE)
    database.execute("""
        ALTER TABLE note ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON note USING (owner = 'ann');
        CREATE TABLE other (id int);
        CREATE TABLE forced (id int);
        ALTER TABLE other ENABLE ROW LEVEL SECURITY;
        ALTER TABLE forced ENABLE ROW LEVEL SECURITY;
        ALTER TABLE forced FORCE ROW LEVEL SECURITY;
        CREATE POLICY own ON forced USING (id = 1);
    """)
    web, reader = database.create_role(f"{database.name} Wéb"), database.create_role(f"{database.name}_reader")
    owner = database.create_role(f"{database.name}_owner", login=False) if is_member else web
    if is_member:
        database.execute(f'GRANT {owner} TO "{web}"')
    database.execute(f"CREATE POLICY reads ON other TO {reader} USING (id = 1)")
    for table in ("note", "other", "forced"):
        database.execute(f'ALTER TABLE {table} OWNER TO "{owner}"')
    connection = database.connect(web)
    assert connection.execute("SELECT count(*) FROM note").fetchone() == (2,)
    (found,) = look(database, CHECK, role=web, **IN_DJANGO).findings
    assert found.target == Target(Kind.TABLE, "public.note")
    assert found.severity is Severity.WARNING
    assert_mends(database, CHECK, found, role=web, **IN_DJANGO)
    assert connection.execute("SELECT count(*) FROM note").fetchone() == (1,)


@pytest.mark.parametrize("attribute", ["SUPERUSER", "BYPASSRLS"])
def test_whom_forcing_does_not_bind_is_not_told_to(database: Database, attribute: str) -> None:
    database.execute(NOTE)
    database.execute("ALTER TABLE note ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON note USING (owner = 'ann')")
    web = database.create_role(f"{database.name}_web")
    database.execute(f"ALTER TABLE note OWNER TO {web}; ALTER ROLE {web} {attribute}")
    assert look(database, CHECK, role=web, **IN_DJANGO).result.outcome is Outcome.OK
    database.execute(f"ALTER ROLE {web} NO{attribute}")
    assert look(database, CHECK, role=web, **IN_DJANGO).targets == ["public.note"]
    assert look(database, CHECK, role=web).result.outcome is Outcome.OK


def test_an_always_true_policy_goes_and_the_others_count(database: Database) -> None:
    database.execute(NOTE)
    database.execute("""
        ALTER TABLE note ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON note USING (owner = 'ann');
        CREATE POLICY "for now" ON note USING (true) WITH CHECK (true);
    """)
    (found,) = look(database, CHECK).findings
    assert found.target == Target(Kind.POLICY, 'public.note."for now"')
    assert_mends(database, CHECK, found)
    reader = database.connect(database.create_role(f"{database.name}_reader"))
    assert reader.execute("SELECT count(*) FROM note").fetchone() == (1,)


def test_rows_cannot_be_handed_to_others_any_more(database: Database) -> None:
    database.execute(NOTE)
    database.execute("""
        ALTER TABLE note ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON note USING (owner = 'ann') WITH CHECK (true);
    """)
    (found,) = look(database, CHECK).findings
    assert_mends(database, CHECK, found)


def test_a_call_is_made_once(database: Database) -> None:
    database.execute(NOTE)
    database.execute("""
        CREATE SCHEMA "Odd ""s";
        CREATE FUNCTION "Odd ""s".me() RETURNS text STABLE LANGUAGE sql AS 'SELECT current_setting(''app.user'')';
        ALTER TABLE note ENABLE ROW LEVEL SECURITY;
        CREATE POLICY "Öwn" ON note USING (
            owner = nullif(current_setting('app.user', true), '') OR (id = 2 AND owner = "Odd ""s".me()));
    """)
    database.execute('GRANT USAGE ON SCHEMA "Odd ""s" TO PUBLIC')
    reader = database.create_role(f"{database.name}_reader")
    (found,) = look(database, CHECK, role=reader).findings
    assert """current_setting('app.user'::text, true) and "Odd ""s".me() are called""" in found.message
    assert_mends(database, CHECK, found, role=reader)
    connection = database.connect(reader, options="-c app.user=bob")
    assert connection.execute("SELECT id FROM note").fetchall() == [(2,)]
    plan = "\n".join(str(line) for (line,) in connection.execute("EXPLAIN SELECT id FROM note").fetchall())
    assert "InitPlan" in plan


def test_row_level_security_without_a_policy_is_told_where_policies_are_used(database: Database) -> None:
    database.execute("CREATE TABLE a (id int, b text); CREATE TABLE closed (id int)")
    database.execute("ALTER TABLE closed ENABLE ROW LEVEL SECURITY")
    assert look(database, CHECK).findings == []
    database.execute("ALTER TABLE a ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON a USING (b = current_user)")
    (found,) = look(database, CHECK).findings
    assert (found.target.name, found.severity) == ("public.closed", Severity.INFO)


def test_decoys_stay_silent(database: Database) -> None:
    database.execute(NOTE)
    database.execute("""
        CREATE FUNCTION always() RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'ann' $$;
        CREATE FUNCTION dice() RETURNS text VOLATILE LANGUAGE sql AS $$ SELECT random()::text $$;
        CREATE TABLE member (name text);
        ALTER TABLE note ENABLE ROW LEVEL SECURITY;
        ALTER TABLE member ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON note USING (owner = current_user OR owner = always() OR owner = dice());
        CREATE POLICY once ON note FOR UPDATE USING (owner = (SELECT current_setting('app.user')));
        CREATE POLICY "of members" ON note FOR DELETE USING (
            EXISTS (SELECT 1 FROM member WHERE name = current_setting('app.user')));
        CREATE POLICY public_read ON member FOR SELECT USING (true);
    """)
    role = database.create_role(f"{database.name}_admin")
    database.execute(f"CREATE POLICY admin ON note TO {role} USING (true)")
    assert look(database, CHECK).result.outcome is Outcome.OK


def test_a_locked_table_s_policies_are_unseen(database: Database) -> None:
    database.execute(NOTE)
    database.execute("""
        CREATE TABLE member (name text);
        ALTER TABLE note ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON note USING (EXISTS (SELECT 1 FROM member WHERE name = owner));
        CREATE POLICY seen ON note FOR SELECT USING (owner = 'ann');
    """)
    holder = database.connect(autocommit=False)
    holder.execute("LOCK TABLE member IN ACCESS EXCLUSIVE MODE")
    result = look(database, CHECK).result
    assert result.reason == "locked by another session: public.note.own"
    holder.rollback()
    assert look(database, CHECK).result.outcome is Outcome.OK
