"""Owners of single models, in a registry of their own."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import migrations, models
from django.test import override_settings
from django.test.utils import isolate_apps

from dbops.findings.finding import Location, Owner, Ownership
from dbops.ownership.owners import Owners
from tests.builders import a_constraint, a_foreign_key, a_schema, a_table, an_index
from tests.ownership.sample import a_migration, a_model, owners_of, registry, rows_of

AT_TABLE = Location(table_oid=1)


class OnlyElsewhere:
    """A router that keeps the models of this package from the default database."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return db != "default" if app_label == "ownership" else None


def task() -> type[models.Model]:
    user = a_model("User")
    return a_model("Task", user=models.ForeignKey(user, models.CASCADE), kind=models.IntegerField())


def test_what_lies_nowhere_is_the_servers() -> None:
    assert Owners.of_nobody().owner(a_schema(), None) == Owner(ownership=Ownership.SERVER)


def test_everything_in_a_database_that_is_not_this_projects_is_unmanaged() -> None:
    schema = a_schema(a_table(1, "auth_user"), a_table(2, "django_migrations"))
    owners = Owners.of_nobody()
    for oid in (1, 2, 3):
        assert owners.owner(schema, Location(table_oid=oid)) == Owner(ownership=Ownership.UNMANAGED)
    assert owners.note is None


def test_the_projects_own_tables_are_found_without_reading_a_migration_first() -> None:
    owners = Owners.of_project("default")
    schema = a_schema(a_table(1, "django_session"), a_table(2, "nobodys"), a_table(3, "django_migrations"))
    assert owners.table(schema, 1) is not None
    assert "history" not in vars(owners)
    assert owners.owner(schema, AT_TABLE).migration == "0001_initial"
    assert owners.owner(schema, Location(table_oid=2)).ownership is Ownership.UNMANAGED
    assert owners.owner(schema, Location(table_oid=3)).ownership is Ownership.CONTRIB


def test_a_model_that_a_router_keeps_away_has_no_table_here() -> None:
    with registry() as isolated:
        schema = a_schema(*rows_of(task()))
        assert owners_of(isolated).owner(schema, AT_TABLE).model == "ownership.Task"
        with override_settings(DATABASE_ROUTERS=[OnlyElsewhere()]):
            assert owners_of(isolated).owner(schema, AT_TABLE) == Owner(ownership=Ownership.UNMANAGED)


def test_a_swapped_model_has_no_table() -> None:
    with registry() as isolated, override_settings(TEST_SWAPPED_MODEL="ownership.Other"):
        links: Any = models.ManyToManyField("Other")
        swapped = a_model("Swapped", meta={"swappable": "TEST_SWAPPED_MODEL"}, links=links)
        other = a_model("Other")
        schema = a_schema(*rows_of(swapped), a_table(2, "ownership_swapped_links"), a_table(3, other._meta.db_table))
        owners = owners_of(isolated)
        found = [owners.owner(schema, Location(table_oid=oid)).model for oid in (1, 2, 3)]
        assert found == [None, None, "ownership.Other"]


def test_a_proxy_is_not_the_model_whose_table_it_reads() -> None:
    isolated: Any
    with isolate_apps("tests.collect", "tests.ownership") as isolated:
        model = task()
        a_model("Proxy", model, meta={"app_label": "collect", "proxy": True})
        owner = owners_of(isolated).owner(a_schema(*rows_of(model)), AT_TABLE)
        assert owner.model == "ownership.Task"


@pytest.mark.parametrize("names", [("Managed", "Other"), ("Other", "Managed")])
def test_a_managed_model_goes_before_an_unmanaged_one_of_the_same_table(names: tuple[str, str]) -> None:
    with registry() as isolated:
        for name in names:
            model = a_model(name, meta={"db_table": "shared", "managed": name == "Managed"})
        made = a_migration("m1", *(migrations.CreateModel(name, []) for name in names))
        owner = owners_of(isolated, made).owner(a_schema(*rows_of(model)), AT_TABLE)
        assert (owner.model, owner.ownership, owner.migration) == ("ownership.Managed", Ownership.MINE, "m1")


def test_an_unmanaged_model_is_named_but_no_migration_made_its_table() -> None:
    with registry() as isolated:
        model = a_model("Report", meta={"managed": False})
        made = a_migration("m1", migrations.CreateModel("Report", [], {"managed": False}))
        owner = owners_of(isolated, made).owner(a_schema(*rows_of(model)), AT_TABLE)
        assert (owner.model, owner.ownership, owner.migration) == ("ownership.Report", Ownership.UNMANAGED, None)


def test_a_partition_is_its_tables_models() -> None:
    with registry() as isolated:
        rows = rows_of(task(), kind="p")
        index, part = an_index(100, "whole", (3,), kind="I"), an_index(101, "part", (3,), table_oid=2, parent_oid=100)
        partition = a_table(2, "task_2026", is_partition=True, parent_oid=1)
        schema = a_schema(*rows, partition, index, part)
        made = a_migration("m2", migrations.AddIndex("Task", models.Index(fields=["kind"], name="whole")))
        owner = owners_of(isolated, made).owner(schema, Location(table_oid=2, index="part"))
        assert owner == Owner(
            ownership=Ownership.MINE, app_label="ownership", model="ownership.Task", field="kind", migration="m2"
        )


@pytest.mark.parametrize(
    ("index", "migration"),
    [
        (an_index(100, "task_kind_a1b2c3d4", (3,)), "m3"),
        (an_index(100, "task_kind_a1b2c3d4_like", (3,)), "m3"),
        (an_index(100, "task_pkey", (1,), is_primary=True, is_unique=True, constraint_oid=1000), "m1"),
        (an_index(100, "made_by_hand", (3,)), None),
        (an_index(100, "task_kind_a1b2c3d4", (3,), is_partial=True), None),
        (an_index(100, "task_kind_a1b2c3d4", (0,), has_expressions=True), None),
        (an_index(100, "task_kind_user_a1b2c3d4", (3, 2)), None),
    ],
    ids=["plain", "like", "key", "by hand", "partial", "expression", "two columns"],
)
def test_an_index_for_a_field_is_told_from_one_made_by_hand(index: Any, migration: str | None) -> None:
    with registry() as isolated:
        schema = a_schema(*rows_of(task()), index)
        fields: list[tuple[str, models.Field[Any, Any]]] = [
            ("id", models.BigAutoField(primary_key=True)),
            ("kind", models.IntegerField()),
        ]
        made = (
            a_migration("m1", migrations.CreateModel("Task", fields)),
            a_migration("m2"),
            a_migration("m3", migrations.AlterField("Task", "kind", models.IntegerField(db_index=True))),
        )
        assert owners_of(isolated, *made).owner(schema, Location(table_oid=1, index=index.name)).migration == migration


def test_of_two_foreign_keys_on_a_column_the_one_named_by_django_was_migrated() -> None:
    with registry() as isolated:
        rows = rows_of(task())
        own, by_hand = a_foreign_key(1000, "task_user_id_a1b2c3d4_fk_user_id"), a_foreign_key(1001, "by_hand")
        key: Any = models.ForeignKey("User", models.CASCADE)
        owners = owners_of(isolated, a_migration("m1", migrations.AddField("Task", "user", key)))

        def migration_of(name: str, *keys: Any) -> str | None:
            return owners.owner(a_schema(*rows, *keys), Location(table_oid=1, constraint=name)).migration

        assert migration_of(own.name, own, by_hand) == "m1"
        assert migration_of(by_hand.name, own, by_hand) is None
        assert migration_of(by_hand.name, by_hand) == "m1"


@pytest.mark.parametrize(
    ("name", "migration"),
    [("ownership_task_kind_check", "m1"), ("task_kind_a1b2c3d4_check", "m1"), ("by_hand", None)],
)
def test_a_check_that_somebody_named_was_not_migrated_with_its_column(name: str, migration: str | None) -> None:
    """A PositiveIntegerField brings a check: the server names it in a new table, Django in one that was there."""
    with registry() as isolated:
        schema = a_schema(*rows_of(task()), a_constraint(name=name, columns=(3,)))
        made = a_migration("m1", migrations.CreateModel("Task", [("kind", models.PositiveIntegerField())]))
        owner = owners_of(isolated, made).owner(schema, Location(table_oid=1, constraint=name))
    assert (owner.field, owner.migration) == ("kind", migration)


def test_several_columns_are_there_since_the_last_of_them_and_belong_to_no_single_field() -> None:
    with registry() as isolated:
        schema = a_schema(*rows_of(task()))
        key: Any = models.ForeignKey("User", models.CASCADE)
        made = (
            a_migration("m1", migrations.CreateModel("Task", [("kind", models.IntegerField())])),
            a_migration("m2", migrations.AddField("Task", "user", key)),
        )
        owner = owners_of(isolated, *made).owner(schema, Location(table_oid=1, columns=("user_id", "kind")))
        assert (owner.field, owner.migration) == (None, "m2")


def test_the_pair_of_columns_of_a_generic_relation_is_its_field() -> None:
    from django.contrib.contenttypes.fields import GenericForeignKey

    with registry() as isolated:
        tag = a_model(
            "Tag",
            content_type=models.ForeignKey(a_model("Kind"), models.CASCADE),
            object_id=models.PositiveIntegerField(),
            content_object=GenericForeignKey(),
        )
        schema = a_schema(*rows_of(tag))
        owner = owners_of(isolated).owner(schema, Location(table_oid=1, columns=("object_id", "content_type_id")))
        assert owner.field == "content_object"


def test_a_constraint_that_is_not_there_any_more_still_has_a_model() -> None:
    with registry() as isolated:
        schema = a_schema(*rows_of(task()), a_constraint(name="other"))
        for location in (Location(table_oid=1, constraint="gone"), Location(table_oid=1, index="gone")):
            owner = owners_of(isolated).owner(schema, location)
            assert (owner.model, owner.field, owner.migration) == ("ownership.Task", None, None)


def test_a_model_without_its_table_is_still_somebodys() -> None:
    with registry() as isolated:
        a_model("Task")
        owners = owners_of(isolated, ownership=Ownership.MINE)
        location = Location(table_oid=0, model="ownership.Task")
        owner = owners.owner(a_schema(), location)
        assert (owner.ownership, owner.model) == (Ownership.MINE, "ownership.Task")
