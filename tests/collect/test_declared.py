"""What models and migrations declare, in Django's own SQL; no database is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.migrations import RunSQL, SeparateDatabaseAndState
from django.db.models import F, Q
from django.db.models.functions import Lower, Now
from django.test import override_settings

from dbops.collect.declared.editor import offline_editor
from dbops.collect.declared.sections import DECLARED, declared_sections
from dbops.collect.declared.tables import declared_tables
from dbops.collect.declared.triggers import Declarations
from dbops.collect.django import collect_django
from dbops.snapshot.declared_rows import DeclaredColumn, DeclaredConstraint, DeclaredIndex, DeclaredTrigger
from dbops.snapshot.snapshot import Unavailable
from dbops.workloads.operations import KeepUpdatedAt, SetDatabaseOnDelete
from tests.ownership.sample import a_migration, a_model, registry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.apps.registry import Apps


def rows(isolated: Apps, section: str) -> list[Any]:
    found = declared_tables("default", isolated)[section]
    assert not isinstance(found, Unavailable)
    return list(found)


def constraints(isolated: Apps) -> dict[str, str]:
    return {one.name: one.definition for one in rows(isolated, "declared_constraints") if one.type != "p"}


def test_no_connection_is_opened() -> None:
    """Nor is one that is open used: these tests have no access to Django's databases at all."""
    assert isinstance(declared_sections("default", registry_of_the_project())["declared_tables"], tuple)
    with pytest.raises(Exception, match="without a database"):
        offline_editor("default").connection.cursor()


def registry_of_the_project() -> Apps:
    from django.apps import apps

    return apps


def test_a_column_is_what_its_field_makes() -> None:
    with registry() as isolated:
        a_model(
            "Thing",
            label=models.CharField(max_length=9, null=True, db_column="The Label", db_collation="C"),
            at=models.DateTimeField(db_default=Now()),
            text=models.TextField(db_default="it's 100%", default="x"),
            count=models.IntegerField(default=7),
            total=models.GeneratedField(
                expression=F("count") * 2, output_field=models.BigIntegerField(), db_persist=True
            ),
            pair=models.ManyToManyField("self"),
        )
        found = [row for row in rows(isolated, "declared_columns") if row.db_table == "ownership_thing"]
    common: dict[str, Any] = {"db_table": "ownership_thing", "is_nullable": False}
    assert found == [
        DeclaredColumn(**common, name="id", field="id", type="bigint", is_counted=True, follows_settings=True),
        DeclaredColumn(
            **{**common, "is_nullable": True}, name="The Label", field="label", type="varchar(9)", collation="C"
        ),
        DeclaredColumn(
            **common, name="at", field="at", type="timestamp with time zone", default="(STATEMENT_TIMESTAMP())"
        ),
        DeclaredColumn(**common, name="text", field="text", type="text", default="'it''s 100%'", filling="'x'"),
        DeclaredColumn(**common, name="count", field="count", type="integer", filling="7"),
        DeclaredColumn(
            **{**common, "is_nullable": True}, name="total", field="total", type="bigint", generated='("count" * 2)'
        ),
    ]


def test_constraints_are_what_django_would_write() -> None:
    with registry() as isolated:
        to = a_model("Target", code=models.CharField(max_length=9, unique=True))
        a_model(
            "Thing",
            meta={
                "unique_together": [("a", "b")],
                "constraints": [
                    models.CheckConstraint(condition=Q(a__gt=1), name="positive"),
                    models.UniqueConstraint(fields=["a"], name="late", deferrable=models.Deferrable.DEFERRED),
                    models.UniqueConstraint(fields=["b"], name="one_null", nulls_distinct=False),
                    ExclusionConstraint(name="apart", expressions=[("span", RangeOperators.OVERLAPS)]),
                ],
            },
            a=models.PositiveIntegerField(),
            b=models.IntegerField(),
            span=DateTimeRangeField(),
            target=models.ForeignKey(to, models.CASCADE, to_field="code"),
            loose=models.ForeignKey(to, models.CASCADE, db_constraint=False, related_name="+"),
        )
        found = constraints(isolated)
        (key,) = [one for one in rows(isolated, "declared_constraints") if one.type == "f"]
    assert found["positive"] == 'CHECK ("a" > 1)'
    assert found["late"] == 'UNIQUE ("a") DEFERRABLE INITIALLY DEFERRED'
    assert found["one_null"] == 'UNIQUE NULLS NOT DISTINCT ("b")'
    assert found["apart"] == 'EXCLUDE USING GIST ("span" WITH &&)'
    assert found["ownership_thing_a_check"] == 'CHECK ("a" >= 0)'
    assert found["ownership_target_code_key"] == 'UNIQUE ("code")'
    assert [definition for name, definition in found.items() if name.endswith("_uniq")] == ['UNIQUE ("a", "b")']
    assert (key.columns, key.target_table, key.target_column) == (("target_id",), "ownership_target", "code")
    assert (key.on_delete, len(found)) == ("a", 8)


@pytest.mark.skipif(not hasattr(models, "DB_CASCADE"), reason="this Django leaves ON DELETE to Python")
def test_on_delete_of_the_database_is_the_foreign_keys() -> None:
    with registry() as isolated:
        to = a_model("Target")
        actions: Any = {"c": models.DB_CASCADE, "n": models.DB_SET_NULL}
        for letter, action in actions.items():
            a_model(f"Thing{letter}", target=models.ForeignKey(to, action, null=True))
        keys = [one for one in rows(isolated, "declared_constraints") if one.type == "f"]
    assert {one.db_table[-1]: one.on_delete for one in keys} == {"c": "c", "n": "n"}


def test_indexes_are_what_django_would_write() -> None:
    with registry() as isolated:
        a_model(
            "Thing",
            meta={
                "indexes": [
                    models.Index(fields=["a", "-b"], name="plain"),
                    models.Index(fields=["a"], name="covering", include=["b"]),
                    models.Index(Lower("code").desc(), name="lowered"),
                    models.Index(fields=["a"], name="partial", condition=Q(code="it's 5%")),
                    GinIndex(fields=["payload"], name="gin", opclasses=["jsonb_path_ops"], fastupdate=False),
                ],
                "constraints": [models.UniqueConstraint(fields=["a"], name="once", condition=Q(b=1))],
            },
            a=models.IntegerField(),
            b=models.IntegerField(),
            code=models.CharField(max_length=9, db_index=True),
            other=models.CharField(max_length=9, db_index=True, db_collation="C"),
            payload=models.JSONField(),
        )
        found = rows(isolated, "declared_indexes")
    named: dict[str, DeclaredIndex] = {one.name: one for one in found}
    assert (named["plain"].definition, named["plain"].columns) == ('USING btree ("a", "b" DESC)', ("a", "b"))
    assert (named["covering"].definition, named["covering"].columns) == ('USING btree ("a") INCLUDE ("b")', ())
    assert named["lowered"].definition == 'USING btree ((LOWER("code")) DESC)'
    assert named["partial"].definition == "USING btree (\"a\") WHERE \"code\" = 'it''s 5%'"
    assert named["gin"].definition == 'USING gin ("payload" jsonb_path_ops) WITH (fastupdate = off)'
    assert (named["once"].definition, named["once"].is_unique) == ('USING btree ("a") WHERE "b" = 1', True)
    (like,) = [one for one in found if one.is_for_patterns]
    assert like.definition == 'USING btree ("code" varchar_pattern_ops)'
    # Whether "C" lets patterns be found by an index, only the database knows.
    assert len([one for one in found if "other" in one.definition]) == 1


def test_what_has_no_table_of_its_own_declares_none_and_what_is_not_managed_only_its_columns() -> None:
    with registry() as isolated:
        parent = a_model("Parent", label=models.IntegerField(unique=True))
        a_model("Child", parent, extra=models.IntegerField())
        a_model("Proxy", parent, meta={"proxy": True})
        a_model("Shape", meta={"abstract": True}, sides=models.IntegerField())
        a_model("Foreign", meta={"managed": False}, code=models.IntegerField(unique=True, db_index=True))
        tables = {one.model: one.is_managed for one in rows(isolated, "declared_tables")}
        columns = [(one.db_table, one.name) for one in rows(isolated, "declared_columns")]
        others = [*rows(isolated, "declared_constraints"), *rows(isolated, "declared_indexes")]
    assert tables == {"ownership.Parent": True, "ownership.Child": True, "ownership.Foreign": False}
    assert [name for table, name in columns if table == "ownership_child"] == ["parent_ptr_id", "extra"]
    assert [name for table, name in columns if table == "ownership_foreign"] == ["id", "code"]
    assert {one.db_table for one in others} == {"ownership_parent", "ownership_child"}


def test_a_link_is_a_table_whose_foreign_keys_follow() -> None:
    with registry() as isolated:
        thing = a_model("Thing")
        a_model("Bag", things=models.ManyToManyField(thing, db_table='inner"."bag things'))
        (link,) = [one for one in rows(isolated, "declared_tables") if one.is_link]
        columns = [one for one in rows(isolated, "declared_columns") if one.db_table == link.db_table]
        keys = [one for one in rows(isolated, "declared_constraints") if one.db_table == link.db_table]
    assert link.db_table == 'inner"."bag things'
    assert [(one.name, one.follows_settings) for one in columns] == [("id", True), ("bag_id", True), ("thing_id", True)]
    assert sorted(one.type for one in keys) == ["f", "f", "p", "u"]
    assert [one.name for one in keys if one.type == "p"] == ["bag things_pkey"]


class OnlyElsewhere:
    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        model = hints.get("model_name")
        return db != "default" if app_label == "ownership" and model == "thing" else None


def test_models_of_another_database_are_left_out_and_so_are_foreign_keys_to_them() -> None:
    with registry() as isolated, override_settings(DATABASE_ROUTERS=[OnlyElsewhere()]):
        thing = a_model("Thing")
        a_model("Note", thing=models.ForeignKey(thing, models.CASCADE))
        assert [one.model for one in rows(isolated, "declared_tables")] == ["ownership.Note"]
        assert [one.type for one in rows(isolated, "declared_constraints")] == ["p"]


class Refusing(models.IntegerField):  # type: ignore[type-arg]
    def db_parameters(self, connection: Any) -> Any:
        raise NotImplementedError("not here")


def test_a_field_that_refuses_is_told_of_and_the_other_models_are_declared() -> None:
    with registry() as isolated:
        a_model("Odd", a=Refusing())
        a_model("Thing", a=models.IntegerField())
        told = {one.model: one.unseen for one in rows(isolated, "declared_tables")}
        assert {one.db_table for one in rows(isolated, "declared_columns")} == {"ownership_thing"}
    assert told == {
        "ownership.Odd": "Django cannot write its SQL: NotImplementedError: not here",
        "ownership.Thing": None,
    }


def declarations(isolated: Apps, monkeypatch: pytest.MonkeyPatch, *migrations: Any) -> Declarations:
    """What the migrations of a graph with these ones declare."""

    class Graph:
        nodes = {(one.app_label, one.name): one for one in migrations}

        def leaf_nodes(self) -> Iterable[tuple[str, str]]:
            return list(self.nodes)[-1:]

        def forwards_plan(self, _leaf: tuple[str, str]) -> list[tuple[str, str]]:
            return list(self.nodes)

    loader = type("Loader", (), {"graph": Graph()})()
    monkeypatch.setattr("dbops.collect.declared.triggers.load_migrations", lambda: loader)
    return Declarations("default", isolated)


def test_triggers_are_what_migrations_make_and_do_not_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 'CREATE TRIGGER "Keep" AFTER UPDATE OF a, b ON ownership_thing FOR EACH ROW EXECUTE FUNCTION f()'
    with registry() as isolated:
        a_model("Thing", updated_at=models.DateTimeField())
        found = declarations(
            isolated,
            monkeypatch,
            a_migration(
                "0001_a",
                RunSQL([(made, None), "-- CREATE TRIGGER no AFTER INSERT ON ownership_thing"]),
                RunSQL(
                    "CREATE OR REPLACE TRIGGER gone BEFORE INSERT ON ownership_thing EXECUTE FUNCTION f(); SELECT 1"
                ),
                RunSQL("CREATE CONSTRAINT TRIGGER other AFTER INSERT ON other_thing FOR EACH ROW EXECUTE FUNCTION f()"),
                RunSQL(
                    "CREATE TRIGGER named BEFORE INSERT ON public.ownership_thing FOR EACH ROW EXECUTE FUNCTION f()"
                ),
            ),
            a_migration(
                "0002_b",
                SeparateDatabaseAndState([RunSQL("DROP TRIGGER IF EXISTS gone ON ownership_thing")]),
                KeepUpdatedAt("Thing"),
                KeepUpdatedAt("Gone"),
            ),
        ).triggers()
    table = "ownership_thing"
    assert found == (
        DeclaredTrigger(db_table=table, name="Keep", migration="ownership.0001_a"),
        DeclaredTrigger(db_table=table, name="ownership_thing_set_updated_at", migration="ownership.0002_b"),
    )


def test_an_operation_gives_a_foreign_key_its_action(monkeypatch: pytest.MonkeyPatch) -> None:
    key = DeclaredConstraint(
        db_table="ownership_note", name="k", type="f", definition="", columns=("to",), on_delete="a"
    )
    with registry() as isolated:
        thing = a_model("Thing")
        a_model("Note", thing=models.ForeignKey(thing, models.DO_NOTHING, db_column="to"))
        operations = (SetDatabaseOnDelete("Note", "thing", "CASCADE"), SetDatabaseOnDelete("Note", "gone", "CASCADE"))
        found = declarations(isolated, monkeypatch, a_migration("0001_a", *operations))
    assert found.with_actions(key) == replace(key, on_delete="c")
    others = [replace(key, db_table="x"), replace(key, columns=("id",)), replace(key, type="u")]
    assert [found.with_actions(one) for one in others] == others


def test_the_workloads_declare_what_their_migrations_do() -> None:
    sections = declared_sections("default", registry_of_the_project())
    triggers = sections["declared_triggers"]
    assert not isinstance(triggers, Unavailable)
    assert "dbops_tasks_task_set_updated_at" in {one.name for one in triggers}
    found = sections["declared_constraints"]
    assert not isinstance(found, Unavailable)
    actions = {(one.db_table, one.columns): one.on_delete for one in found if one.type == "f"}
    assert actions["dbops_tasks_task", ("user_id",)] == "c"


def test_nothing_is_read_where_nothing_of_it_is_asked_for() -> None:
    assert set(collect_django("default", sections=["migrations"])) == {"migrations"}
    assert set(collect_django("default", sections=["declared_columns"])) == DECLARED
