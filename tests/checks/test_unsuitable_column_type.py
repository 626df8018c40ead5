from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.checks.unsuitable_column_type import check
from dbops.findings.finding import Confidence, Finding, Kind, Severity, Target
from dbops.snapshot.rows import DjangoSettings, RelationSize
from tests.builders import a_column, a_constraint, a_foreign_key, a_schema, a_table, an_index
from tests.checks.mending import assert_mends
from tests.looking import apply, look, undo

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "unsuitable_column_type"
USE_TZ = (DjangoSettings(use_tz=True, debug=False),)
NAIVE = (DjangoSettings(use_tz=False, debug=False),)
IN_DJANGO: dict[str, Any] = {"sections": {"django_settings": USE_TZ}}


def a_timestamp(name: str = "at", type_: str = "timestamp without time zone", **values: Any) -> Any:
    return a_column(1, name, type_, base_type="timestamp without time zone", **values)


def findings(*objects: Any, django_settings: tuple[DjangoSettings, ...] | None = USE_TZ) -> list[Finding]:
    tables = () if any(one.__class__.__name__ == "Table" for one in objects) else (a_table(),)
    return list(check(a_schema(*tables, *objects), django_settings))


def test_the_finding_says_why_and_what_the_change_costs() -> None:
    (found,) = findings(a_column(1, "data", "json"), RelationSize(oid=1, size_bytes=5 * 1024**2))
    assert found.target == Target(Kind.COLUMN, "public.task.data")
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.HIGH)
    assert found.message == (
        "json is parsed again at every access and has no equality: DISTINCT and GROUP BY fail on it."
    )
    assert found.evidence == {"type": "json", "rows": 1000, "table_size_bytes": 5 * 1024**2}
    assert found.fix is not None
    assert found.fix.sql == ("ALTER TABLE public.task ALTER COLUMN data TYPE jsonb USING data::jsonb;",)
    assert found.fix.undo == ("ALTER TABLE public.task ALTER COLUMN data TYPE json USING data::json;",)
    assert found.fix.caution == (
        "loses the order of keys, repeated keys and white space; "
        "rewrites 5.0 MB of public.task under an exclusive lock: nobody can read or write there meanwhile"
    )
    assert found.location is not None
    assert (found.location.table_oid, found.location.columns) == (1, ("data",))


def test_what_is_not_known_is_left_out_of_the_evidence() -> None:
    (found,) = findings(a_table(row_estimate=None), a_column(1, "price", "money"))
    assert found.evidence == {"type": "money"}


@pytest.mark.parametrize(
    ("column", "severity", "confidence"),
    [
        (a_column(1, "data", "json"), Severity.WARNING, Confidence.HIGH),
        (a_column(1, "price", "money"), Severity.WARNING, Confidence.HIGH),
        (a_timestamp(), Severity.WARNING, Confidence.HIGH),
        (a_timestamp(type_="timestamp(3) without time zone"), Severity.WARNING, Confidence.HIGH),
        (a_column(1, "code", "character(3)"), Severity.INFO, Confidence.HIGH),
        (a_column(1, "uuid", "character(36)"), Severity.WARNING, Confidence.MEDIUM),
        (a_column(1, "order_uuid", "character varying(36)"), Severity.WARNING, Confidence.MEDIUM),
        (a_column(1, "GUID", "character(32)"), Severity.WARNING, Confidence.MEDIUM),
        (a_column(1, "uuid_key", "character varying(32)"), Severity.WARNING, Confidence.MEDIUM),
        (a_column(1, "orderUuid", "character varying(36)"), Severity.WARNING, Confidence.MEDIUM),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_told_as(column: Any, severity: Severity, confidence: Confidence) -> None:
    (found,) = findings(column)
    assert (found.severity, found.confidence) == (severity, confidence)
    assert found.fix is not None


@pytest.mark.parametrize(
    "column",
    [
        a_column(1, "data", "jsonb"),
        a_column(1, "data", "json[]"),
        a_column(1, "at", "timestamp with time zone"),
        a_column(1, "day", "date"),
        a_column(1, "at", "time without time zone"),
        a_column(1, "name", "character varying(255)"),
        a_column(1, "name", "character varying"),
        a_column(1, "name", "text"),
        a_column(1, "uuid", "uuid"),
        a_column(1, "uuid", "text"),
        a_column(1, "uuid", "character varying(255)"),
        a_column(1, "token", "character varying(36)"),
        a_column(1, "languid", "character varying(36)"),
        a_column(1, "guidance", "character varying(36)"),
        a_column(1, "flag", "character(1)"),
        a_column(1, "letter", '"char"'),
        a_column(1, "code", "bpchar", base_type="character"),
        a_column(1, "code", "public.country", base_type="character"),
        a_column(1, "price", "numeric(19,2)"),
        a_column(1, "data", "json", generated="s"),
        a_column(1, "code", "character(3)", generated="s"),
        a_column(1, "data", "json", is_inherited=True),
    ],
    ids=lambda column: f"{column.name} {column.type}",
)
def test_silent_about(column: Any) -> None:
    assert findings(column) == []


@pytest.mark.parametrize("settings", [None, NAIVE], ids=["not Django's", "USE_TZ off"])
def test_a_naive_timestamp_is_only_wrong_under_use_tz(settings: tuple[DjangoSettings, ...] | None) -> None:
    assert findings(a_timestamp(), django_settings=settings) == []
    assert findings(a_column(1, "data", "json"), django_settings=settings)


@pytest.mark.parametrize(
    "table",
    [{"kind": "m"}, {"extension": "postgis"}, {"is_partition": True, "parent_oid": 7}],
    ids=["materialised view", "extension's", "partition"],
)
def test_silent_about_columns_of(table: dict[str, Any]) -> None:
    assert findings(a_table(**table), a_column(1, "data", "json")) == []


@pytest.mark.parametrize(
    "column",
    [
        a_column(1, "data", "public.document", base_type="json"),
        a_timestamp(is_partition_key=True),
        a_column(1, "code", "character(3)", is_partition_key=True),
        a_column(1, "uuid", "character(36)", is_partition_key=True),
    ],
    ids=["domain", "partition key", "char in the partition key", "UUID in the partition key"],
)
def test_a_column_whose_type_cannot_be_changed_gets_no_fix(column: Any) -> None:
    (found,) = findings(column)
    assert found.fix is None


@pytest.mark.parametrize(
    ("column", "use"),
    [
        (a_column(1, "data", "json"), a_constraint(definition="CHECK ((json_typeof(data) = 'object'::text))")),
        (a_column(1, "data", "json"), an_index(columns=(0,), has_expressions=True, expressions=None)),
        (a_column(1, "price", "money"), a_constraint(definition="CHECK ((price > '$0.00'::money))")),
        (a_column(1, "price", "money"), an_index(columns=(0,), has_expressions=True, expressions="abs(price)")),
        (a_timestamp(), an_index(columns=(0,), has_expressions=True, expressions="date_trunc('day'::text, at)")),
        (a_timestamp(), an_index(is_partial=True, predicate="(at > '2020-01-01'::date)")),
        (a_timestamp(), an_index(definition="… USING brin (at timestamp_minmax_multi_ops)")),
        (a_timestamp(), an_index(definition=None)),
        (a_timestamp(), a_foreign_key(columns=(1,))),
        (a_column(1, "uuid", "character(36)"), a_constraint(definition=None)),
        (a_column(1, "uuid", "character(36)"), an_index(columns=(0,), has_expressions=True, expressions="lower(uuid)")),
        (a_column(1, "uuid", "character(36)"), an_index(definition=None)),
    ],
)
def test_what_names_the_column_and_would_not_survive_leaves_the_change_to_you(column: Any, use: Any) -> None:
    other = a_timestamp(table_oid=2)
    (found,) = [one for one in findings(a_table(), a_table(2, "u"), column, other, use) if ".task." in one.target.name]
    assert found.fix is None


@pytest.mark.parametrize(
    ("column", "use"),
    [
        (a_column(1, "data", "json"), an_index(columns=(0,), has_expressions=True, expressions="(data ->> 'a'::text)")),
        (a_timestamp(), a_constraint(definition="CHECK ((at < until))")),
        (a_timestamp(), an_index(columns=(0,), has_expressions=True, expressions="lower(at_place)")),
        (a_timestamp(), an_index()),
        (a_column(1, "code", "character(3)"), a_constraint(definition="CHECK ((code <> ''::bpchar))")),
    ],
)
def test_what_survives_does_not_stand_in_the_way(column: Any, use: Any) -> None:
    (found,) = findings(column, use)
    assert found.fix is not None


def test_columns_tied_by_foreign_keys_are_one_finding_of_the_one_referred_to() -> None:
    (found,) = findings(
        a_table(),
        a_table(2, "users"),
        a_column(2, "user_uuid", "character(36)"),
        a_column(1, "id", "character varying(36)", table_oid=2),
        a_foreign_key(),
    )
    assert found.target.name == "public.users.id"
    assert found.rolled_up == ("public.task.user_uuid",)
    assert found.message == (
        "By its name and its 36 characters it holds UUIDs: "
        "as text they take 37 bytes instead of 16, here and in every index."
    )


@pytest.mark.parametrize(
    ("column", "value", "options"),
    [
        ("json DEFAULT '{}' NOT NULL", """'{"a": [1]}'""", {}),
        ("money DEFAULT 0", "1234.56", {}),
        ("timestamp DEFAULT now()", "'2026-03-29 02:30'", IN_DJANGO),
        ("timestamp(3) DEFAULT timezone('utc', now())", "'2026-03-29 02:30:00.123'", IN_DJANGO),
        ("char(3) DEFAULT 'abc' UNIQUE", "'ab'", {}),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) else None,
)
def test_the_type_is_changed_and_changed_back(
    database: Database, column: str, value: str, options: dict[str, Any]
) -> None:
    database.execute(
        f'CREATE TABLE "Mixed ""Ключ" (id int, "Order" {column}); ALTER DATABASE {database.name} SET timezone = 3'
    )
    database.execute(f'INSERT INTO "Mixed ""Ключ" VALUES (1, {value}); CREATE INDEX ON "Mixed ""Ключ" (id)')
    before = database.execute('SELECT "Order"::text FROM "Mixed ""Ключ"')
    (found,) = look(database, CHECK, **options).findings
    assert found.target.name == 'public."Mixed ""Ключ"."Order"'
    assert_mends(database, CHECK, found, **options)
    undo(database, found.fix)
    assert database.execute('SELECT "Order"::text FROM "Mixed ""Ключ"') == before


def test_naive_times_become_the_moments_that_they_name_in_utc(database: Database) -> None:
    database.execute("CREATE TABLE t (at timestamp); INSERT INTO t VALUES ('2026-07-01 12:00')")
    (found,) = look(database, CHECK, **IN_DJANGO).findings
    apply(database, found.fix)
    assert database.execute("SELECT at = '2026-07-01 12:00+00' FROM t") == [(True,)]


@pytest.mark.parametrize("type_", ["varchar(36)", "char(36)", "varchar(32)", "char(32)"])
def test_uuids_become_uuid_with_all_that_refers_to_them(database: Database, type_: str) -> None:
    database.execute(f'CREATE TABLE parent ("The Uuid" {type_} PRIMARY KEY, up {type_} REFERENCES parent)')
    database.execute(
        'CREATE TABLE child (id int, parent_id varchar(36) CONSTRAINT "F k" REFERENCES parent ON DELETE CASCADE)'
    )
    operator_class = "bpchar_pattern_ops" if type_.startswith("char") else "varchar_pattern_ops"
    database.execute(
        f'CREATE INDEX parent_like ON parent ("The Uuid" {operator_class}); CREATE INDEX ON child (parent_id)'
    )
    text = "replace(gen_random_uuid()::text, '-', '')" if "32" in type_ else "gen_random_uuid()::text"
    database.execute(f'INSERT INTO parent SELECT {text}; INSERT INTO child SELECT 1, "The Uuid" FROM parent')
    (before,) = database.execute("SELECT parent_id FROM child")
    (found,) = look(database, CHECK).findings
    assert found.target.name == 'public.parent."The Uuid"'
    assert found.rolled_up == ("public.child.parent_id", "public.parent.up")
    assert_mends(database, CHECK, found)
    undo(database, found.fix)
    assert database.execute("SELECT parent_id FROM child") == [before]
    assert database.execute("SELECT indexdef LIKE '%pattern_ops%' FROM pg_indexes WHERE indexname = 'parent_like'") == [
        (True,)
    ]


@pytest.mark.parametrize(
    ("holder", "named", "drop"),
    [
        ('CREATE VIEW "V 1" AS SELECT data FROM t', 'view public."V 1"', 'DROP VIEW "V 1"'),
        ("CREATE MATERIALIZED VIEW m AS TABLE t", "materialized view public.m", "DROP MATERIALIZED VIEW m"),
        ("CREATE RULE r AS ON UPDATE TO t WHERE old.data IS NULL DO ALSO NOTHING", "rule r on", "DROP RULE r ON t"),
        ("CREATE TRIGGER g BEFORE UPDATE OF data ON t EXECUTE FUNCTION f()", "trigger g on", "DROP TRIGGER g ON t"),
        ("CREATE POLICY p ON t USING (data IS NOT NULL)", "policy p on table public.t", "DROP POLICY p ON t"),
        (
            "CREATE FUNCTION g() RETURNS json LANGUAGE sql BEGIN ATOMIC SELECT data FROM t; END",
            "function public.g()",
            "DROP FUNCTION g()",
        ),
        (
            "ALTER TABLE t ADD x text GENERATED ALWAYS AS (data ->> 'x') STORED",
            "the column generated from it",
            "ALTER TABLE t DROP x",
        ),
    ],
)
def test_what_makes_the_change_fail_is_said(database: Database, holder: str, named: str, drop: str) -> None:
    database.execute("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    database.execute("CREATE TABLE t (data json)")
    database.execute(holder)
    (found,) = look(database, CHECK).findings
    assert found.fix is not None
    assert found.fix.caution is not None
    assert f"fails while {named}" in found.fix.caution
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        apply(database, found.fix)
    database.execute(drop)
    (found,) = look(database, CHECK).findings
    assert found.fix is not None
    assert "fails while" not in str(found.fix.caution)
    apply(database, found.fix)


def test_a_partitioned_index_that_stepped_aside_comes_back_with_all_its_parts(database: Database) -> None:
    database.execute("CREATE TABLE p (k int, uuid varchar(36)) PARTITION BY LIST (k)")
    database.execute("CREATE TABLE p_1 PARTITION OF p DEFAULT; CREATE INDEX p_like ON p (uuid varchar_pattern_ops)")
    (found,) = look(database, CHECK).findings
    apply(database, found.fix)
    undo(database, found.fix)
    assert database.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'p_like'::regclass") == [(True,)]
    assert database.execute("SELECT count(*) FROM pg_indexes WHERE tablename = 'p_1'") == [(1,)]


def test_codes_tied_by_a_foreign_key_change_together(database: Database) -> None:
    database.execute("CREATE TABLE country (code char(2) PRIMARY KEY); INSERT INTO country VALUES ('at')")
    database.execute(
        "CREATE TABLE city (code char(2) DEFAULT 'at' REFERENCES country, name varchar(9)); "
        "INSERT INTO city VALUES ('at')"
    )
    (found,) = look(database, CHECK).findings
    assert found.target.name == "public.country.code"
    assert found.rolled_up == ("public.city.code",)
    assert_mends(database, CHECK, found)
    assert look(database, "mismatched_foreign_key").findings == []


def test_a_partitioned_table_is_changed_as_a_whole(database: Database) -> None:
    database.execute("CREATE TABLE p (k int, data json, at timestamp) PARTITION BY RANGE (at)")
    database.execute("CREATE TABLE p_1 PARTITION OF p DEFAULT; CREATE INDEX ON p ((data->>'a'))")
    found = {one.target.name: one for one in look(database, CHECK, **IN_DJANGO).findings}
    assert set(found) == {"public.p.at", "public.p.data"}
    assert found["public.p.at"].fix is None
    assert_mends(database, CHECK, found["public.p.data"], **IN_DJANGO)


def test_what_a_child_inherits_is_changed_at_its_parent(database: Database) -> None:
    database.execute("CREATE TABLE a (data json); CREATE TABLE b (own money) INHERITS (a)")
    found = look(database, CHECK).findings
    assert [one.target.name for one in found] == ["public.a.data", "public.b.own"]
    for one in found:
        assert_mends(database, CHECK, one)
    assert look(database, CHECK).findings == []


def test_the_decoys_are_silent_on_a_real_server(database: Database) -> None:
    database.execute("CREATE DOMAIN country AS char(2)")
    database.execute(
        'CREATE TABLE t (a varchar(20), b char, c "char", d bpchar, e country, f text, g jsonb, h timestamptz, '
        "i numeric, j uuid, token_uuid text, k date, md5 varchar(32))"
    )
    database.execute("CREATE MATERIALIZED VIEW m AS SELECT '{}'::json AS data, now()::timestamp AS at")
    assert look(database, CHECK, **IN_DJANGO).findings == []
