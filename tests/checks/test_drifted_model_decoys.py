"""What looks like drift and is none: nothing is said of it, or information at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.apps import apps
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Upper
from django.test import override_settings

from dbops import normal_forms
from dbops.collect.normal_forms import read_normal_forms
from dbops.diagnose import diagnose_alias
from dbops.findings.finding import Severity
from dbops.findings.report import Outcome
from dbops.normal_forms import with_normal_forms
from tests.checks.drift import CHECK, drift, judged, make_tables, only_finding, seen
from tests.ownership.sample import a_model, registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.snapshot.declared_rows import NormalForm
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.snapshot import Snapshot
    from tests.servers import Database, Servers


pytestmark = pytest.mark.usefixtures("scratch_beside")


def assert_silent(database: Database, isolated: Any, **given: Any) -> None:
    looked = drift(database, isolated, **given)
    assert [finding.message for finding in looked.findings] == []
    assert (looked.result.outcome, looked.result.reason) == (Outcome.OK, None)


@pytest.mark.django_db(transaction=True)
def test_a_project_that_was_migrated_is_as_it_should_be() -> None:
    """The stock apps of Django and both workloads, with their triggers and the ON DELETE of the database."""
    report = diagnose_alias("default", only=[CHECK])
    assert {"auth", "admin", "sessions", "dbops_tasks", "dbops_accounts"} <= {
        config.label for config in apps.get_app_configs()
    }
    assert [result.outcome for result in report.results] == [Outcome.OK]


#: A model's fields, and a table made by hand that is as good as Django's.
AS_GOOD: Sequence[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    (
        "a serial of an older Django",
        {"label": models.CharField(max_length=9)},
        {},
        "CREATE TABLE ownership_thing (id bigserial PRIMARY KEY, label varchar(9) NOT NULL)",
    ),
    (
        "a key of another integer type that is fed by a function",
        {"id": models.BigAutoField(primary_key=True)},
        {},
        "CREATE TABLE ownership_thing (id bigint PRIMARY KEY DEFAULT (random() * 1e9)::bigint)",
    ),
    (
        "types in other words",
        {
            "a": models.IntegerField(),
            "b": models.DateTimeField(),
            "c": models.DecimalField(max_digits=5, decimal_places=2),
            "d": models.FloatField(),
            "e": models.TimeField(),
            "f": models.BooleanField(),
            "g": models.JSONField(),
            "h": models.DurationField(),
            "i": models.GenericIPAddressField(),
            "j": models.BinaryField(),
            "k": models.UUIDField(),
            "l": models.SmallIntegerField(),
            "m": models.FileField(),
            "n": models.SlugField(db_index=False),
        },
        {},
        (
            "CREATE TABLE ownership_thing (id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int4 NOT NULL, "
            "b timestamptz NOT NULL, c decimal(5, 2) NOT NULL, d float8 NOT NULL, e time NOT NULL, f bool NOT NULL, "
            "g jsonb NOT NULL, h interval NOT NULL, i inet NOT NULL, j bytea NOT NULL, k uuid NOT NULL,"
            " l int2 NOT NULL, m varchar(100) NOT NULL, n varchar(50) NOT NULL)"
        ),
    ),
    (
        "other names, another order of unique columns, and a unique index for a constraint",
        {"a": models.IntegerField(unique=True), "b": models.IntegerField(db_index=True), "c": models.IntegerField()},
        {
            "unique_together": [("b", "c")],
            "indexes": [models.Index(fields=["c", "-a"], name="declared_idx", condition=Q(a__in=[1, 2]))],
            "constraints": [models.CheckConstraint(condition=Q(a__gt=0) & Q(b__isnull=False), name="declared_check")],
        },
        (
            "CREATE TABLE ownership_thing (id bigserial CONSTRAINT mine PRIMARY KEY, a int NOT NULL, b int NOT NULL, "
            "c int NOT NULL, CONSTRAINT old_check CHECK (a > 0 AND b IS NOT NULL) NOT VALID, UNIQUE (c, b));"
            "CREATE UNIQUE INDEX old_a ON ownership_thing (a); CREATE INDEX old_b ON ownership_thing (b);"
            "CREATE INDEX old_idx ON ownership_thing (c, a DESC) WITH (fillfactor = 70) WHERE a IN (1, 2)"
        ),
    ),
    (
        "names in upper case and with spaces",
        {"label": models.CharField(max_length=9, db_column="Full Name", db_index=True)},
        {"db_table": "Some Things"},
        (
            'CREATE TABLE "Some Things" (id bigserial PRIMARY KEY, "Full Name" varchar(9) NOT NULL);'
            'CREATE INDEX ON "Some Things" ("Full Name");'
            'CREATE INDEX ON "Some Things" ("Full Name" varchar_pattern_ops)'
        ),
    ),
    (
        "a schema of the search path, and names longer than the server keeps",
        {"label": models.IntegerField(db_column="c" * 70)},
        {"db_table": "t" * 70},
        (
            f"CREATE SCHEMA other; CREATE TABLE other.{'t' * 63} (id bigserial PRIMARY KEY, {'c' * 63} int NOT NULL);"
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = other, public', current_database());"
            "END $$"
        ),
    ),
    (
        "a schema that the model names",
        {"label": models.IntegerField(unique=True)},
        {"db_table": 'other"."thing'},
        "CREATE SCHEMA other; CREATE TABLE other.thing (id bigserial PRIMARY KEY, label int NOT NULL UNIQUE)",
    ),
    (
        "partitions",
        {"day": models.DateField(db_index=True), "label": models.TextField()},
        {},
        (
            "CREATE TABLE ownership_thing (id bigserial, day date NOT NULL, label text NOT NULL, PRIMARY KEY (id, day))"
            " PARTITION BY RANGE (day); CREATE INDEX ON ownership_thing (day);"
            "CREATE TABLE thing_2026 PARTITION OF ownership_thing FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
        ),
    ),
    (
        "a view",
        {"label": models.IntegerField()},
        {},
        "CREATE TABLE real_thing (id int); CREATE VIEW ownership_thing AS SELECT id, 1 AS label FROM real_thing",
    ),
    (
        "a table of nobody's to migrate",
        {"label": models.IntegerField(unique=True)},
        {"managed": False},
        "CREATE TABLE ownership_thing (id int, label text, further text NOT NULL)",
    ),
    ("no table, and nobody's to migrate", {"label": models.IntegerField()}, {"managed": False}, "SELECT 1"),
]


@pytest.mark.parametrize(("fields", "meta", "ddl"), [case[1:] for case in AS_GOOD], ids=[case[0] for case in AS_GOOD])
def test_what_is_as_good_as_djangos_own_is_silent(
    database: Database, fields: dict[str, Any], meta: dict[str, Any], ddl: str
) -> None:
    copies = {name: field.clone() for name, field in fields.items()}
    with registry() as isolated:
        a_model("Thing", meta=meta, **copies)
        database.execute(ddl)
        assert_silent(database, isolated)


def test_the_key_of_a_link_may_be_of_another_integer_type(database: Database) -> None:
    with registry() as isolated:
        thing = a_model("Thing")
        make_tables(database, thing, a_model("Bag", things=models.ManyToManyField(thing)))
        database.execute("ALTER TABLE ownership_bag_things ALTER id TYPE int")
        finding = only_finding(database, isolated)
        assert (finding.target.name, finding.severity) == ("public.ownership_bag_things.id", Severity.INFO)
        database.execute("ALTER TABLE ownership_thing ALTER id TYPE int")
        database.execute("ALTER TABLE ownership_bag_things ALTER thing_id TYPE int")
        finding = only_finding(database, isolated)
        assert len(finding.rolled_up) == 2
        database.execute("ALTER TABLE ownership_bag ALTER id TYPE bigint")
    with override_settings(DEFAULT_AUTO_FIELD="django.db.models.AutoField"), registry() as isolated:
        thing = a_model("Thing")
        a_model("Bag", things=models.ManyToManyField(thing))
        assert_silent(database, isolated)


class Vector(models.Field):  # type: ignore[type-arg]
    """A field of somebody else's."""

    def db_type(self, connection: Any) -> str:
        return "Vector(3)"


class Word(models.CharField):  # type: ignore[type-arg]
    def db_type(self, connection: Any) -> str:
        return "citext"


def test_types_that_are_not_the_servers_own_raise_no_alarm(database: Database) -> None:
    database.execute("CREATE EXTENSION citext; CREATE DOMAIN vector AS text; CREATE DOMAIN short AS varchar(9)")
    database.execute("CREATE TYPE state AS ENUM ('new', 'old')")
    database.execute(
        "CREATE TABLE ownership_thing (id bigserial PRIMARY KEY, a vector NOT NULL, b citext NOT NULL, "
        "c short NOT NULL, d state NOT NULL)"
    )
    with registry() as isolated:
        a_model("Thing", a=Vector(), b=Word(max_length=9), c=models.CharField(max_length=9), d=models.TextField())
        assert_silent(database, isolated)


class Refusing(models.IntegerField):  # type: ignore[type-arg]
    def db_parameters(self, connection: Any) -> Any:
        raise NotImplementedError("not on this database")


def test_a_field_that_cannot_say_its_sql_is_named(database: Database) -> None:
    with registry() as isolated:
        a_model("Thing", a=Refusing())
        looked = drift(database, isolated)
        assert looked.result.reason == (
            "Django cannot write its SQL: NotImplementedError: not on this database: ownership.Thing"
        )


def test_what_inherits_and_what_stands_for_others_is_compared_as_django_makes_it(database: Database) -> None:
    with registry() as isolated:
        place = a_model("Place", label=models.CharField(max_length=9, unique=True))
        cafe = a_model("Cafe", place, tables=models.PositiveSmallIntegerField(null=True))
        a_model("CafeProxy", cafe, meta={"proxy": True})
        loose: Any = models.ForeignKey(cafe, models.DO_NOTHING, db_constraint=False, null=True)
        guest = a_model("Guest", cafe=loose, friend=models.ForeignKey("self", models.SET_NULL, null=True))
        ordered = a_model(
            "Seat", meta={"order_with_respect_to": "guest"}, guest=models.ForeignKey(guest, models.CASCADE)
        )
        make_tables(database, place, cafe, guest, ordered)
        assert_silent(database, isolated)


def test_a_key_of_several_columns_is_compared_as_one(database: Database) -> None:
    with registry() as isolated:
        key: Any = models.CompositePrimaryKey("a", "b")
        thing = a_model("Thing", pk=key, a=models.IntegerField(), b=models.IntegerField())
        make_tables(database, thing)
        assert_silent(database, isolated)
        database.execute("ALTER TABLE ownership_thing DROP CONSTRAINT ownership_thing_pkey")
        finding = only_finding(database, isolated)
        assert finding.message.startswith("a, b are the primary key of ownership.Thing")


def test_a_table_outside_the_search_path_is_unseen_and_not_missing(database: Database) -> None:
    database.execute("CREATE SCHEMA tenant; CREATE TABLE tenant.ownership_thing (id bigserial PRIMARY KEY)")
    with registry() as isolated:
        a_model("Thing")
        looked = drift(database, isolated)
        assert looked.findings == []
        assert looked.result.reason == (
            "it lies in the schema tenant, which is not on this role's search_path: ownership_thing"
        )


#: Expressions that the server prints in words of its own, and not evidently the same.
RICH: dict[str, Any] = {
    "indexes": [
        models.Index(Upper("label"), name="upper_idx"),
        models.Index(fields=["a"], name="partial_idx", condition=(Q(a__gt=1) | Q(b__lt=2)) & ~Q(label="x")),
    ],
    "constraints": [
        models.CheckConstraint(condition=Q(a__range=(1, 9)) | Q(label__in=["x", "y"]), name="range_check"),
        models.CheckConstraint(condition=Q(label__startswith="50%_\\'") | Q(a=F("b") % 7 - 1), name="odd_check"),
        models.UniqueConstraint(F("a") + F("b"), Upper("label").desc(), name="rich_uniq"),
    ],
}


def rich_model() -> type[models.Model]:
    return a_model(
        "Rich",
        meta={name: [one.clone() for one in ones] for name, ones in RICH.items()},
        label=models.CharField(max_length=9, db_default="it's 100%"),
        a=models.IntegerField(db_default=-7),
        b=models.IntegerField(),
        at=models.DateTimeField(db_default=Now()),
        both=models.GeneratedField(
            expression=(F("a") + F("b")) * 2, output_field=models.IntegerField(), db_persist=True
        ),
    )


def test_words_of_the_servers_own_are_no_difference(database: Database) -> None:
    with registry() as isolated:
        make_tables(database, rich_model())
        assert_silent(database, isolated)


def test_a_scratch_server_of_another_version_answers_as_well(
    database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What 15 prints is compared by 18, and what 18 prints by 15."""
    other = servers.get("pg18" if database.major == 15 else "pg15")

    def ask(schema: Schema, asked: Any, major: int) -> dict[Any, NormalForm]:
        with other.connect() as connection:
            forms = read_normal_forms(connection, psycopg.Error, schema, asked)
        return dict(zip(asked, forms, strict=True))

    monkeypatch.setattr(normal_forms, "_asked", ask)
    monkeypatch.setattr(normal_forms, "_answers", {})
    with registry() as isolated:
        make_tables(database, rich_model())
        snapshot: Snapshot = seen(database, isolated)
        assert len(snapshot.sections["normal_forms"]) > 0  # type: ignore[arg-type]
        looked = judged(with_normal_forms(snapshot))
        assert (looked.result.reason, looked.findings) == (None, [])
