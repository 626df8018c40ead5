"""The sections that come from Django's settings and models, not from the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.test import modify_settings, override_settings

from dbops.collect.django import collect_django
from dbops.snapshot.rows import DjangoSettings, GenericRelation
from dbops.snapshot.snapshot import SECTIONS, Unavailable
from tests.ownership.sample import a_model, registry

if TYPE_CHECKING:
    from django.apps.registry import Apps


class OnlyElsewhere:
    """A router that keeps the models of these tests from the default database."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return db != "default" if app_label == "ownership" else None


def relation_fields() -> dict[str, Any]:
    return {
        "kind": models.ForeignKey(ContentType, models.CASCADE, db_column="what"),
        "number": models.PositiveIntegerField(),
        "thing": GenericForeignKey("kind", "number"),
    }


def relations(registry: Apps) -> list[tuple[str, str, str]]:
    section = collect_django("default", registry=registry)["generic_relations"]
    assert not isinstance(section, Unavailable)
    assert all(type(row) is GenericRelation for row in section)
    return [(row.db_table, row.content_type_column, row.object_id_column) for row in section]


def test_the_settings_are_as_the_project_has_them() -> None:
    with override_settings(USE_TZ=False, DEBUG=True):
        section = collect_django("default")["django_settings"]
    assert section == (DjangoSettings(use_tz=False, debug=True),)


def test_the_sections_are_known_ones() -> None:
    assert collect_django("default").keys() <= SECTIONS.keys()


def test_only_what_is_wanted_is_read() -> None:
    assert collect_django("default", sections={"django_settings", "indexes"}).keys() == {"django_settings"}


def test_a_generic_relation_is_its_columns() -> None:
    with registry() as isolated:
        a_model("Tag", **relation_fields())
        assert relations(isolated) == [("ownership_tag", "what", "number")]


def test_an_inherited_relation_is_kept_in_the_parents_table_and_a_proxys_is_no_other() -> None:
    with registry() as isolated:
        tag = a_model("Tag", **relation_fields())
        a_model("Label", tag, text=models.TextField())
        a_model("AnyTag", tag, meta={"proxy": True})
        assert relations(isolated) == [("ownership_tag", "what", "number")]


def test_a_relation_of_an_abstract_parent_is_kept_in_each_childs_table() -> None:
    with registry() as isolated:
        base = a_model("Base", meta={"abstract": True}, **relation_fields())
        a_model("One", base)
        a_model("Another", base, meta={"db_table": "elsewhere"})
        assert [row[0] for row in relations(isolated)] == ["elsewhere", "ownership_one"]


def test_a_relation_spread_over_two_tables_or_without_its_fields_is_none() -> None:
    with registry() as isolated:
        fields = relation_fields()
        thing = fields.pop("thing")
        number = fields.pop("number")
        a_model("Child", a_model("Parent", **fields), number=number, thing=thing)
        a_model("Broken", thing=GenericForeignKey("missing", "too"))
        assert relations(isolated) == []


def test_models_that_a_router_keeps_away_have_no_relations_here() -> None:
    with registry() as isolated, override_settings(DATABASE_ROUTERS=[OnlyElsewhere()]):
        a_model("Tag", **relation_fields())
        assert relations(isolated) == []


def test_without_contenttypes_there_are_none() -> None:
    with registry() as isolated:
        a_model("Tag", **relation_fields())
        with modify_settings(INSTALLED_APPS={"remove": ["django.contrib.contenttypes"]}):
            assert relations(isolated) == []
